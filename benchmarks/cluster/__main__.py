"""Measure a part alone, or with few of everything: ``python -m benchmarks.cluster --small many``."""

from __future__ import annotations

import argparse

from benchmarks.cluster import parts
from benchmarks.cluster.effort import FULL, SMALL


def main() -> None:
    """Measure what is named, or everything; print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--small", action="store_true", help="only to see that it works: the figures mean little")
    parser.add_argument("parts", nargs="*", choices=[[], *parts.PARTS], help="what to measure; everything by default")
    arguments = parser.parse_args()
    for table in parts.tables(SMALL if arguments.small else FULL, arguments.parts or parts.PARTS):
        print(f"\n{table}", flush=True)


if __name__ == "__main__":
    main()
