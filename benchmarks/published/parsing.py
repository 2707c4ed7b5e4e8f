"""``python -m benchmarks.published.parsing PATH``: do we read the same action from a published answer as MLGym did?

PATH is a folder of runs, or a bare git repository of MLGym. Every answer of a model in every trajectory is parsed by the
agent's own parser (`roles.mlgym.parsing`), and what comes out is held against the action on record. The 671 published
trajectories take about 10 s.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from benchmarks.measures.tables import markdown_table
from engine.errors import EngineError
from roles.mlgym.parsing import Answer, parse_answer
from roles.mlgym.runs import Source, find_runs, open_source
from roles.mlgym.shell import EXITS
from roles.mlgym.trajectory import HistoryMessage, Trajectory, TrajectoryUnusable, read_trajectory

Kind: TypeAlias = Literal[
    "same action",
    "no action on either side",
    "thrown away",
    "no answer",
    "another action",
    "no action here",
    "not recorded",
]
KINDS: dict[Kind, str] = {
    "same action": "byte for byte what MLGym ran",
    "no action on either side": "bad form for us, and the run ended with exit_format",
    "thrown away": "well formed; the run ended with exit_format all the same, for MLGym asks once more after the third "
    "answer of bad form and does not use what comes",
    "no answer": "no model wrote this: MLGym's own sentence where the context or the money had run out",
    "another action": "both found one, and not the same",
    "no action here": "MLGym ran one and we found none",
    "not recorded": "the record does not say what was read",
}
"""What came of an answer, and what that means."""
AGREEING: tuple[Kind, ...] = ("same action", "no action on either side")
_LIMITS = ("exit_context", "exit_cost", "exit_api", "exit_error")


class ParsingReport(msgspec.Struct, frozen=True, kw_only=True):
    """How answers were read, over trajectories."""

    trajectories: int
    kinds: dict[Kind, int]
    thoughts: int
    """Answers with the same action whose thought is the same too."""
    problems: tuple[str, ...] = ()
    """Files that could not be read, a sentence each."""

    @property
    def answers(self) -> int:
        """What models wrote."""
        return sum(self.kinds.values()) - self.kinds.get("no answer", 0)

    @property
    def share(self) -> float | None:
        """Of models' answers, those that both sides read alike; None without one."""
        agreeing = sum(self.kinds.get(kind, 0) for kind in AGREEING)
        return agreeing / self.answers if self.answers else None


def kind_of(answer: HistoryMessage) -> Kind:
    """What came of one answer."""
    if answer.action is None:
        return "not recorded"
    parsed = parse_answer(answer.content or "")
    found = parsed.action if isinstance(parsed, Answer) else None
    if answer.action in EXITS and found != answer.action:
        if answer.action in _LIMITS:
            return "no answer"
        return "no action on either side" if found is None else "thrown away"
    if found is None:
        return "no action here"
    return "same action" if found == answer.action else "another action"


def compare(trajectories: Iterable[Trajectory], *, problems: Sequence[str] = ()) -> ParsingReport:
    """Read every answer again."""
    kinds: Counter[Kind] = Counter()
    count = thoughts = 0
    for trajectory in trajectories:
        count += 1
        for answer in trajectory.answers():
            kind = kind_of(answer)
            kinds[kind] += 1
            thoughts += kind == "same action" and _is_same_thought(answer)
    return ParsingReport(
        trajectories=count,
        kinds={kind: kinds[kind] for kind in KINDS if kinds[kind]},
        thoughts=thoughts,
        problems=tuple(problems),
    )


def make_report(source: Source) -> ParsingReport:
    """Read the answers of all runs of a source; demonstrations, which are no runs, are left out."""
    problems: list[str] = []

    def trajectories() -> Iterable[Trajectory]:
        for files in find_runs(source):
            if files.trajectory is None or files.run is None:
                continue
            try:
                yield read_trajectory(source.read(files.trajectory), where=files.trajectory)
            except TrajectoryUnusable as error:
                problems.append(str(error))

    report = compare(trajectories())
    return msgspec.structs.replace(report, problems=tuple(problems))


def text_of(report: ParsingReport) -> str:
    """The table, and what it comes to."""
    total = sum(report.kinds.values())
    rows = [
        [kind, str(count), f"{100 * count / total:.2f} %", KINDS[kind]]
        for kind, count in report.kinds.items()
    ]
    table = markdown_table(("what came of it", "answers", "share", "what it means"), rows)
    share = "-" if report.share is None else f"{100 * report.share:.2f} %"
    carried_out = sum(
        report.kinds.get(kind, 0) for kind in ("same action", "another action", "no action here")
    )
    same = report.kinds.get("same action", 0)
    summary = (
        f"{report.trajectories} trajectories, {report.answers} answers of models. Read alike: {share}. Of the "
        f"{carried_out} that MLGym carried out, {same} gave the same action, {report.thoughts} of them with the same "
        "thought."
    )
    lines = [table, "", summary, *(f"Left out: {problem}." for problem in report.problems)]
    return "\n".join(lines)


def _is_same_thought(answer: HistoryMessage) -> bool:
    parsed = parse_answer(answer.content or "")
    return isinstance(parsed, Answer) and parsed.thought == answer.thought


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published.parsing", description=__doc__)
    parser.add_argument("path", type=Path, metavar="PATH", help="a folder of runs, or a bare git repository")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    try:
        source = open_source(options.path)
        try:
            report = make_report(source)
        finally:
            source.close()
    except EngineError as error:
        sys.stderr.write(f"benchmarks.published.parsing: {error}\n")
        return 2
    sys.stdout.write(f"{msgspec.json.encode(report).decode() if options.json else text_of(report)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
