"""``python -m benchmarks.measures DIR``: the multi-agent measures of a study, over the episodes of each arm."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.measures.audit import audit_table, read_audit
from benchmarks.measures.by_arm import ArmMeasures, measures_by_arm
from benchmarks.measures.episode_measures import measure_study
from benchmarks.measures.tables import csv_text, markdown_table, number
from engine.errors import EngineError


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and print; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.measures", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a study's folder")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="every measure of every episode")
    form.add_argument("--csv", action="store_true", help="a row for each arm and measure")
    options = parser.parse_args(arguments)
    try:
        episodes = measure_study(options.folder)
        audit = read_audit(options.folder)
    except EngineError as error:
        sys.stderr.write(f"benchmarks.measures: {error}\n")
        return 2
    if options.json:
        sys.stdout.write(f"{msgspec.json.encode(episodes).decode()}\n")
        return 0
    arms = measures_by_arm(episodes)
    sys.stdout.write(arms_csv(arms) if options.csv else f"{arms_table(arms)}\n")
    if audit is not None and not options.csv:
        sys.stdout.write(f"\nReviews, audited after the fact:\n\n{audit_table(audit)}\n")
    return 0


def arms_table(arms: Sequence[ArmMeasures]) -> str:
    """Means by measure and arm, a table for each task (Markdown); ``-`` where a measure is not defined."""
    parts: list[str] = []
    for task in dict.fromkeys(arm.task for arm in arms):
        own = [arm for arm in arms if arm.task == task]
        names = dict.fromkeys(name for arm in own for name in arm.values)
        rows = [
            (name, *(number(arm.values[name].mean if name in arm.values else None) for arm in own))
            for name in names
        ]
        titles = ("measure", *(f"{arm.arm} ({arm.episodes})" for arm in own))
        parts.append(f"{task}: mean over episodes (their number)\n\n{markdown_table(titles, rows)}")
    return "\n\n".join(parts)


def arms_csv(arms: Sequence[ArmMeasures]) -> str:
    """The same with spread and number of episodes, a row for each arm and measure."""
    rows = [
        (arm.task, arm.arm, name, value.mean, value.deviation, value.defined, value.undefined)
        for arm in arms
        for name, value in arm.values.items()
    ]
    return csv_text(("task", "arm", "measure", "mean", "deviation", "defined", "undefined"), rows)


if __name__ == "__main__":
    sys.exit(main())
