"""``python -m benchmarks.published DIR``: every figure that the released runs in DIR allow, as tables and pictures."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.published.report import SOURCE, make_report, sheets_of, write_report
from engine.errors import EngineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and write; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="holds results.jsonl.gz")
    parser.add_argument(
        "--out", type=Path, metavar="OUTDIR", help="write report.md, CSV and SVG there (extra: study)"
    )
    parser.add_argument("--json", action="store_true", help="print everything as one JSON document")
    options = parser.parse_args(arguments)
    try:
        report = make_report(options.folder)
        written = () if options.out is None else write_report(report, options.out)
    except EngineError as error:
        sys.stderr.write(f"benchmarks.published: {error}\n")
        return 2
    if options.json:
        sys.stdout.write(f"{msgspec.json.encode(report).decode()}\n")
    elif written:
        sys.stdout.write(f"{written[0]}\n")
    else:
        for sheet in sheets_of(report):
            sys.stdout.write(f"{sheet.title}\n\n{sheet.markdown()}\n\n{sheet.note}\n\n")
        sys.stdout.write(f"{SOURCE}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
