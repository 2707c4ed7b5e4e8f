"""The options that every benchmark takes, and how it prints what it found."""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.perf.table import Report, text


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to run a benchmark."""

    quick: bool = False
    """Sizes so small that nothing is measured: for tests, and to see what a script prints."""
    json: bool = False
    repetitions: int = 7
    folder: Path | None = None
    """Where records are written while measuring; None: the system's folder for temporary files."""
    peer_python: str | None = None
    """An interpreter in which peers are installed."""

    def size(self, full: int, quick: int) -> int:
        """How many of something to do."""
        return quick if self.quick else full


def parse(description: str | None, argv: Sequence[str] | None, *, repetitions: int = 7) -> Options:
    """Options from a command line."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows the shape, measures nothing")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--repetitions", type=int, default=None, help=f"default {repetitions}; quick: 2")
    parser.add_argument("--folder", type=Path, default=None, help="where records are written meanwhile")
    parser.add_argument("--peer-python", default=None, help="interpreter in which peers are installed")
    given = parser.parse_args(argv)
    return Options(
        quick=given.quick,
        json=given.json,
        repetitions=max(1, given.repetitions or (2 if given.quick else repetitions)),
        folder=given.folder,
        peer_python=given.peer_python,
    )


def peer_python(options: Options, package: str) -> str | None:
    """The interpreter that has a peer: the one named, else this one if it happens to be installed here."""
    if options.peer_python is not None:
        return options.peer_python
    return sys.executable if importlib.util.find_spec(package) is not None else None


def show(report: Report, options: Options) -> None:
    """Print a report."""
    print(msgspec.json.encode(report).decode() if options.json else text(report))
