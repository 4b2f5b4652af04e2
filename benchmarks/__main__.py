"""Measure and print tables; with ``--write`` put them into docs/performance.md; with names, only those."""

from __future__ import annotations

import argparse

from benchmarks import api, guests, hub, panel, picture, starts
from benchmarks.cluster import parts
from benchmarks.report import conditions, put_into_page

MEASURES = {
    "starts": starts.tables,
    "api": api.tables,
    "picture": picture.tables,
    "guests": guests.tables,
    "panel": panel.tables,
    "kubernetes": parts.tables,
    "hub": hub.tables,
}


def main() -> None:
    """Measure what is named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("names", nargs="*", choices=[[], *MEASURES], help="what to measure; everything by default")
    arguments = parser.parse_args()
    show = put_into_page if arguments.write else lambda table: print(f"\n{table}", flush=True)
    show(conditions())
    for name in arguments.names or MEASURES:
        for table in MEASURES[name]():
            show(table)


if __name__ == "__main__":
    main()
