"""Breaks one rule at a time in a copy of the tree, and asks whether the fast tests notice: `make mutants`.

Each mutant is one replacement of text. One that no test catches, or whose text is not there any more, fails the run.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROOFS = tuple(f"tests/proof/test_{name}.py" for name in ("any_history", "interleavings", "killed_brokers"))
TESTS = {
    "domain": ("tests/domain", "vmpool_ext/domain", "tests/broker", *PROOFS),
    "broker": ("tests/broker", *PROOFS, "tests/domain"),
    "backends": ("tests/proof/test_any_history_on_a_cluster.py", "tests/backends/kubernetes/test_writes.py"),
}
"""Those of the broken layer first: they are the likeliest to notice; on a cluster, the history before what was written for the rule."""
PATIENCE = {"domain": 60, "broker": 60, "backends": 240}
"""Seconds for one test."""
TIMEOUT = 300


@dataclass(frozen=True)
class Mutant:
    """What rule is broken, and how."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "no reading after a write",
        "broker/assigning.py",
        "        await self._inventory.seen(given.version)\n        return Given(given, newly=not mine)",
        "        self._inventory.observe(given)\n        return Given(given, newly=not mine)",
    ),
    Mutant(
        "the second VM is not released",
        "broker/assigning.py",
        "            if len(mine) > 1:\n                await self._release(mine[-1])\n            elif",
        "            if",
    ),
    Mutant(
        "the first of two is released",
        "broker/assigning.py",
        "self._release(mine[-1])",
        "self._release(mine[0])",
    ),
    Mutant(
        "a conflict is taken for a success",
        "broker/assigning.py",
        "            if mine:\n                await self._inventory.other_than(vm)\n            return None",
        "            return Given(vm, newly=not mine)",
    ),
    Mutant(
        "an act is not judged again after a conflict",
        "broker/acting.py",
        "            except AssignmentConflict:\n                await self._inventory.other_than(vm)\n",
        "            except AssignmentConflict:\n                return vm\n",
    ),
    Mutant(
        "a VM that somebody looks at may be given away",
        "domain/assignment.py",
        " or vm.being_deleted or vm.console_open:",
        " or vm.being_deleted:",
    ),
    Mutant(
        "retention ends a moment late",
        "broker/candidates.py",
        "self._kept.peekitem(0)[0][0] <= now",
        "self._kept.peekitem(0)[0][0] < now",
    ),
    Mutant(
        "what is kept ends a moment late",
        "domain/assignment.py",
        "kept_until(vm, pools) > now",
        "kept_until(vm, pools) >= now",
    ),
    Mutant("a ticket lives a moment too long", "broker/tickets.py", "expires_at <= self", "expires_at < self"),
    Mutant("no hold for the first console", "domain/assignment.py", "timedelta(minutes=5)", "timedelta(0)"),
    Mutant(
        "the asking pool's promise is ignored",
        "domain/assignment.py",
        "for retention in (promised, asking) if retention",
        "for retention in (promised,) if retention",
    ),
    Mutant(
        "the assigning pool's promise is ignored",
        "domain/assignment.py",
        "for retention in (promised, asking) if retention",
        "for retention in (asking or promised,)",
    ),
    Mutant(
        "the session is not marked",
        "broker/consoles.py",
        "self._backend.offer_display(await self._marked(user, vm), user)",
        "self._backend.offer_display(vm, user)",
    ),
    Mutant(
        "a session is marked as the administrator's who looks in",
        "broker/consoles.py",
        "holder = vm.assignment.user if vm.assignment else user.name",
        "holder = user.name",
    ),
    Mutant(
        "the mark of an earlier run counts",
        "domain/machine.py",
        " and self.session.run == self.running.since",
        "",
    ),
    Mutant(
        "another's mark does not count",
        "domain/machine.py",
        "return not self.running or self.untouched or self.session_user == user",
        "return not self.running or self.untouched or self.session_user is not None",
    ),
    Mutant(
        "a console that was looked at is no evidence",
        "domain/machine.py",
        "self.logged_in_user is None and not (self.console_open or looked_at)",
        "self.logged_in_user is None",
    ),
    Mutant(
        "the console user is evidence",
        "domain/machine.py",
        "self.logged_in_user is None and not (self.console_open or looked_at)",
        "self.logged_in_user is None and self.console_user is None and not (self.console_open or looked_at)",
    ),
    Mutant(
        "the console does not wait for a clean run",
        "domain/console.py",
        "    if not vm.is_clean_for(user.name) or runs_on_old_disks(vm, pools):\n        return BeingPrepared(vm.name)\n    if others",
        "    if others",
    ),
    Mutant(
        "the console is open though somebody else is connected",
        "domain/console.py",
        "return vm.console_open and vm.console_user != user.name",
        "return False",
    ),
    Mutant(
        "the console does not wait for the login",
        "domain/console.py",
        "    if login_wanted(vm, pools) in (None, vm.logged_in_user):\n        return None\n",
        "    if not why_never_logged_in(vm, pools):\n        return None\n",
    ),
    Mutant(
        "a guest without an agent is waited for",
        "domain/login.py",
        "and vm.booted.reason == BOOT_TIMEOUT",
        "and vm.booted.reason != BOOT_TIMEOUT",
    ),
    Mutant(
        "the agent ends a session that it did not begin",
        "domain/duties.py",
        "vm.logged_in_user is not None and vm.logged_in_user == vm.session_user",
        "True",
    ),
    Mutant(
        "a handover marks before it ends the session",
        "domain/duties.py",
        "    if used_vm is UsedVm.KEEP:",
        "    if True:",
    ),
    Mutant(
        "whoever is connected stays at a release",
        "broker/acting.py",
        "        await self._backend.disconnect(vm)\n        if action",
        "        if action",
    ),
    Mutant(
        "a clock that has jumped is believed by the choice",
        "broker/inventory.py",
        "candidates.best if self._clock.is_trusted() else candidates.best_unassigned",
        "candidates.best",
    ),
    Mutant(
        "a clock that has jumped is believed by the keeper",
        "broker/keeper.py",
        "if not self._clock.is_trusted():",
        "if False:",
    ),
    Mutant(
        "what a wrong time had ended stays ended",
        "broker/candidates.py",
        "        if now < self._passed:\n",
        "        if False:\n",
    ),
    Mutant(
        "an orphan is released without asking",
        "broker/keeper.py",
        "if await self._backend.pool_is_gone(vm.assignment.pool):",
        "if True:",
    ),
    Mutant(
        "orphans are released as fast as possible",
        "broker/keeper.py",
        "                await self._clock.sleep_until(self._clock.now() + ORPHANS_EVERY)\n",
        "",
    ),
    Mutant(
        "a VM whose pool is unknown is free",
        "domain/assignment.py",
        "assigning.retention if assigning else RetainForever()",
        "assigning.retention if assigning else asking or RetainForever()",
    ),
    Mutant(
        "a misconfigured pool gives",
        "domain/assignment.py",
        "if pool.misconfigured or pool.name not in vm.pools",
        "if pool.name not in vm.pools",
    ),
    Mutant("root is logged in", "domain/user.py", " and name not in _NEVER_LOGGED_IN", ""),
    Mutant(
        "names that no account has are logged in",
        "domain/duties.py",
        " or why_never_logged_in(vm, pools):",
        ":",
    ),
    Mutant(
        "a login that failed is tried again at once",
        "domain/duties.py",
        "    if login_failed(vm) and now < after(vm.user_logged_in.since, LOGIN_AGAIN_AFTER):\n        return None\n",
        "",
    ),
    Mutant(
        "a stale picture is good enough to decide",
        "broker/broker.py",
        "        self._inventory.require_fresh()\n        return self._visible(user, name)",
        "        return self._visible(user, name)",
    ),
    Mutant(
        "a stale picture is good enough for the keeper",
        "broker/keeper.py",
        "if vm is None or name in self._busy or self._inventory.problem:",
        "if vm is None or name in self._busy:",
    ),
    Mutant(
        "a deleted VM comes back",
        "broker/inventory.py",
        "known.version if known else self._gone_at.get(vm.name, UNDRAWN)",
        "known.version if known else UNDRAWN",
    ),
    Mutant(
        "a reserved VM is not put back",
        "broker/assigning.py",
        "            self._inventory.put_back(vm)\n            raise",
        "            raise",
    ),
    Mutant(
        "without a permission the pool is visible",
        "broker/broker.py",
        "if pool is None or not may:",
        "if pool is None:",
    ),
    Mutant(
        "a retention in lower case is refused",
        "domain/retention.py",
        "isodate.parse_duration(text.upper())",
        "isodate.parse_duration(text)",
    ),
    Mutant(
        "a line can be added to the connection file",
        "domain/connection_file.py",
        "if not text.isprintable() or",
        "if",
    ),
    Mutant(
        "a retained VM is ended",
        "domain/duties.py",
        "    if not is_kept(vm, pools, now):\n        return _at_the_end",
        "    if True:\n        return _at_the_end",
    ),
    Mutant(
        "the disk of the user before is handed on",
        "domain/disks.py",
        "    return vm.disk_user not in (None, vm.assignment.user)",
        "    return False",
    ),
    Mutant(
        "the console opens on a disk that is to be discarded",
        "domain/console.py",
        " or runs_on_old_disks(vm, pools)",
        "",
    ),
    Mutant(
        "a run that the agent left clean is not",
        "domain/machine.py",
        "self._mark != NOBODY and self.console_connected",
        "self.console_connected",
    ),
    Mutant(
        "a write on a cluster has no condition",
        "backends/kubernetes/writes.py",
        'patch["metadata"] = {**patch.get("metadata", {}), "resourceVersion": str(vm.version)}',
        'patch["metadata"] = patch.get("metadata", {})',
    ),
    Mutant(
        "another VM is tried while it is unknown whether one was written",
        "backends/kubernetes/writes.py",
        "                in_doubt = in_doubt or isinstance(error, Lost)\n",
        "                if isinstance(error, Lost):\n                    raise AssignmentConflict(vm.name) from error\n",
    ),
)


def caught_by(mutant):
    """Give the first test that fails on the mutant; None if none does."""
    with tempfile.TemporaryDirectory(prefix="vmpool-mutant-") as room:
        tree = Path(room)
        for part in ("vmpool_ext", "tests"):
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__", "labextension"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        file = tree / "vmpool_ext" / mutant.file
        text = file.read_text()
        if text.count(mutant.old) != 1:
            message = f"The mutant '{mutant.name}' is out of date: {mutant.file} has not exactly one such text."
            raise SystemExit(message)
        file.write_text(text.replace(mutant.old, mutant.new))
        layer = mutant.file.partition("/")[0]
        return _first_failure(tree, TESTS[layer], PATIENCE[layer])


def _first_failure(tree, tests, patience):
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--timeout", str(patience), "-p", "no:cacheprovider", *tests]
    try:
        run = subprocess.run(  # noqa: S603  # our own tests
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return "(the tests did not come to an end)"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", run.stdout, re.MULTILINE)
    if failed:
        return failed.group(1)
    return "(the tests cannot even be collected)" if run.returncode else None


def main():
    """Try every mutant, or those whose names hold the words that were given."""
    words = sys.argv[1:]
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    survived = 0
    with ThreadPoolExecutor(os.cpu_count()) as several:
        for mutant, test in zip(chosen, several.map(caught_by, chosen), strict=True):
            print(f"{'caught' if test else 'SURVIVED':9}{mutant.name:60}{test or ''}", flush=True)
            survived += not test
    sys.exit(f"{survived} survived" if survived else 0)


if __name__ == "__main__":
    main()
