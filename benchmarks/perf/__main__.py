"""Runs every benchmark, each in a process of its own, and prints their tables: ``python -m benchmarks.perf``.

Writes nothing unless told to by ``--out FILE``, which gets the same tables as Markdown. Options that are not its own go
to every script (``--quick``, ``--repetitions``, ``--folder``, ``--peer-python``).
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.perf.table import Report, text

SCRIPTS = ("bus_round_trip", "logged_turn", "sandbox_command", "episode_memory", "virtual_time")


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 where a script failed, which the others outlive."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=SCRIPTS, help="one script; may be repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON array of reports")
    parser.add_argument("--out", type=Path, help="also write the tables to this file")
    given, rest = parser.parse_known_args(argv)
    reports: list[Report] = []
    failed: list[str] = []
    for script in given.only or SCRIPTS:
        print(f"measuring: {script}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"benchmarks.perf.{script}", "--json", *rest]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            failed.append(script)
        else:
            reports.append(msgspec.json.decode(done.stdout, type=Report))
    tables = "\n".join(map(text, reports))
    print(msgspec.json.encode(reports).decode() if given.json else tables)
    if given.out is not None:
        given.out.write_text(tables, encoding="utf-8")
    if failed:
        print(f"these failed, see above: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
