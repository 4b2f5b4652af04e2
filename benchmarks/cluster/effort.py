"""How much is measured: enough for figures, or only enough to see that it works."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Effort:
    """Numbers of everything."""

    rounds: int = 5
    """By turns: ours and bare."""
    writes: dict[int, int] = field(default_factory=lambda: {1: 150, 16: 512, 64: 1_024})
    """Of a round, by how many are under way at once: the garbage collection of the API server takes a third of its CPU, now and
    then, so that short rounds differ by a quarter for nothing."""
    sizes: tuple[int, ...] = (100, 1_000, 10_000)
    repeats: int = 3
    """Of what takes seconds."""
    bursts: int = 9
    burst: int = 350
    period: float = 60
    """Seconds that starts are spread over, or come for at random."""
    bare_period: float = 10
    """Seconds of bare writes by the same measure, before and after."""
    per_second: float = 45
    clients: int = 40
    per_client: int = 100
    brokers: int = 10
    users: int = 100
    free: int = 400
    events: int = 3_000
    changes: int = 40

    def rounds_at(self, at_once: int) -> int:
        """Tell how many rounds: those of one at a time are short, so there are more."""
        return self.rounds * (3 if at_once == 1 else 1)


FULL = Effort()
SMALL = Effort(
    rounds=2,
    writes={1: 5, 16: 32, 64: 128},
    sizes=(100, 200, 600),
    repeats=1,
    bursts=1,
    burst=60,
    period=3,
    bare_period=1,
    clients=10,
    per_client=10,
    brokers=3,
    users=12,
    free=40,
    events=200,
    changes=5,
)
