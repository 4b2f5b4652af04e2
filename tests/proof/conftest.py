"""Tells how many steps the histories made."""

from tests.proof.steps import made


def pytest_terminal_summary(terminalreporter):
    for ground, steps in made.items():
        terminalreporter.write_line(f"proof: {steps} steps on {ground}")
