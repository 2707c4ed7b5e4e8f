"""``python -m benchmarks.published.parsing_lint PATH --flake8 COMMAND``: do our checks find what flake8 finds?

Every Python file that was shown whole in a published trajectory is checked by `roles.mlgym.inside.lint` and by flake8 with
the classes of faults that MLGym has it look for; a fault is a line, a class and a text. PATH as in
`benchmarks.published.parsing`; flake8 is not among our dependencies, COMMAND says where it is. About 4,400 files, 40 s.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from engine.errors import EngineError
from roles.mlgym.inside.lint import Fault, faults
from roles.mlgym.runs import Source, find_runs, open_source
from roles.mlgym.trajectory import TrajectoryUnusable, read_trajectory

CLASSES = ("F821", "F822", "F831", "E111", "E112", "E113", "E999", "E902")
_WINDOW = re.compile(r"\[File: \S+\.py \((\d+) lines total\)\]\n((?:\d+:.*\n?)+)")
_FAULT = re.compile(r".*?([0-9a-f]{40})\.py:(\d+):\d+: (\w+) (.*)")


class LintReport(msgspec.Struct, frozen=True, kw_only=True):
    """How two checkers agree, over files."""

    files: int
    with_faults: int
    """Files in which flake8 finds something."""
    same: int
    """Files in which both find the same."""
    differing: tuple[str, ...]
    """Where they do not, what each alone finds."""


def shown_files(source: Source) -> Iterator[str]:
    """The content of every Python file that was shown whole, each once."""
    known: set[str] = set()
    for files in find_runs(source):
        try:
            trajectory = read_trajectory(source.read(files.trajectory or ""), where=files.name)
        except (TrajectoryUnusable, KeyError):
            continue
        for step in trajectory.trajectory:
            for window in _WINDOW.finditer(step.observation or ""):
                lines = re.findall(r"^\d+:(.*)$", window[2], re.MULTILINE)
                text = "".join(f"{line}\n" for line in lines)
                if len(lines) == int(window[1]) and text not in known:
                    known.add(text)
                    yield text


def compare_with_flake8(texts: Sequence[str], command: Sequence[str]) -> LintReport:
    """Check every text twice.

    Raises:
        OSError: flake8 cannot be run.
    """
    by_name = {hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(): text for text in texts}
    with tempfile.TemporaryDirectory() as folder:
        for name, text in by_name.items():
            Path(folder, f"{name}.py").write_text(text, encoding="utf-8")
        arguments = ["--isolated", "-j", "1", f"--select={','.join(CLASSES)}", folder]
        said = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False).stdout
    theirs: defaultdict[str, set[Fault]] = defaultdict(set)
    for line in said.splitlines():
        if match := _FAULT.fullmatch(line):
            theirs[match[1]].add(Fault(int(match[2]), match[3], match[4]))
    ours = {name: set(faults(text)) for name, text in by_name.items()}
    return LintReport(
        files=len(by_name),
        with_faults=sum(bool(theirs[name]) for name in by_name),
        same=sum(ours[name] == theirs[name] for name in by_name),
        differing=tuple(
            f"ours alone {sorted(ours[name] - theirs[name])}, flake8's alone {sorted(theirs[name] - ours[name])}"
            for name in by_name
            if ours[name] != theirs[name]
        ),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published.parsing_lint", description=__doc__)
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder of runs, or a bare git repository")
    parser.add_argument("--flake8", default="flake8", metavar="COMMAND", help="flake8, where it is installed")
    options = parser.parse_args(arguments)
    try:
        source = open_source(options.path)
        try:
            texts = list(shown_files(source))
        finally:
            source.close()
        report = compare_with_flake8(texts, [options.flake8])
    except (EngineError, OSError) as error:
        sys.stderr.write(f"benchmarks.published.parsing_lint: {error}\n")
        return 2
    sys.stdout.write(
        f"{report.files} files, {report.with_faults} of them with faults; both find the same in {report.same}\n"
    )
    sys.stdout.writelines(f"{line}\n" for line in report.differing)
    return 0


if __name__ == "__main__":
    sys.exit(main())
