"""Do forks of one beginning say more about a patch than pairs of whole episodes?

Question: how much smaller is the variance of the difference that a patch makes, where both arms share the research up
to a message, than where they share only their seeds? And is what is left of the effect smaller too?

Quantity: the difference of final scores, patched minus not, on the task's own metric. Whole: both arms from the start,
at the same seeds (task, draws, feedback). Forks: of the unpatched episode of the same seed, at a share of its messages;
each continuation has draws of its own, which both arms share. For each: mean, standard deviation of one difference,
within one beginning too, ratio of variances with a 95 % bootstrap interval over seeds, and how many pairs 80 % power
would take by the normal approximation.

The two do not measure one thing: a whole pair asks what the patch does from the start, a fork what it does from there on.

Takes about 5 minutes a task and patch with the defaults on two cores. Last gave: docs/reference/forks.md.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import trio

from benchmarks.forks.differences import FloatArray, Spread, fork_spread, ratio_interval, whole_spread
from benchmarks.studies.forking import ForkPlan, ForkRequest, make_fork_plan
from benchmarks.studies.plan import Plan, Request, make_plan
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.running import check_workspace, limits_for, run_missing
from engine.episode import EpisodeResult
from engine.errors import UserError
from engine.fork import read_origin

COLUMNS = (
    "task",
    "patch",
    "arms part",
    "mean difference",
    "SD",
    "SD within a beginning",
    "no difference",
    "variance over whole (95 %)",
    "pairs for 80 % power",
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table."""

    task: str
    patch: str
    share: float | None
    """Of the messages after which the arms part; None: whole episodes."""
    spread: Spread
    ratio: float | None = None
    ratio_interval: tuple[float, float] | None = None


class Options(argparse.Namespace):
    """What the command line says."""

    tasks: list[str]
    patches: list[str]
    seeds: int
    continuations: int
    budget: int
    shares: list[float]
    out: Path
    workspace: str
    json: bool


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    options = _parse(argv)
    rows = [
        row for task in options.tasks for patch in options.patches for row in measure(task, patch, options)
    ]
    print(msgspec.json.encode(rows).decode() if options.json else table(rows, options))  # noqa: T201 - its output


def measure(task: str, patch: str, options: Options) -> list[Row]:
    """The rows of one task and patch: whole pairs, then forks at each share."""
    place = options.out / f"{task}-{patch.replace(' ', '-').replace(':', '-').replace('/', '-')}"
    treated = make_plan(_request(task, options, patch=patch))
    plain = make_plan(_request(task, options))
    both = replace(plain, specs=(*plain.specs, *treated.specs))
    whole = _by_team(_run(both, place / "whole", options, []), plain.team.name, treated.team.name)
    folders = [place / "whole" / "episodes" / spec.id for spec in plain.specs]
    known = whole[1] - whole[0]
    rows = [Row(task=task, patch=patch, share=None, spread=whole_spread(known))]
    for share in options.shares:
        forks = [_fork(folder, share, patch, options) for folder in folders]
        plan = replace(forks[0].plan, specs=tuple(spec for fork in forks for spec in fork.plan.specs))
        results = _run(plan, place / f"forks-{share:g}", options, forks)
        pair = _by_team(results, plain.team.name, treated.team.name)
        differences = (pair[1] - pair[0]).reshape(options.seeds, options.continuations)
        spread = fork_spread(differences)
        variance = rows[0].spread.deviation ** 2
        rows.append(
            Row(
                task=task,
                patch=patch,
                share=share,
                spread=spread,
                ratio=spread.deviation**2 / variance if variance else None,
                ratio_interval=ratio_interval(known, differences) if variance else None,
            )
        )
    return rows


def table(rows: Sequence[Row], options: Options) -> str:
    """The rows in Markdown."""
    lines = [
        f"{options.seeds} seeds, {options.budget} evaluations, {options.continuations} continuations of each beginning",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        spread, interval = row.spread, row.ratio_interval
        ratio = "1" if row.share is None else "-"
        if row.ratio is not None and interval is not None:
            ratio = f"{row.ratio:.2f} ({interval[0]:.2f} to {interval[1]:.2f})"
        parts = (
            row.task,
            row.patch,
            "at the start" if row.share is None else f"after {row.share:.0%} of messages",
            f"{spread.mean:+.4f}",
            f"{spread.deviation:.4f}",
            "-" if spread.within is None else f"{spread.within:.4f}",
            f"{spread.zero:.0%}",
            ratio,
            "-" if spread.mean == 0 else f"{min(spread.pairs_needed, 1e6):,.0f}",
        )
        lines.append(f"| {' | '.join(parts)} |")
    return "\n".join(lines)


def _fork(folder: Path, share: float, patch: str, options: Options) -> ForkPlan:
    at = max(1, round(share * read_origin(folder).messages))
    # Draws that no episode of the study has: its own seeds are small numbers.
    first = 1_000 + options.continuations * read_origin(folder).spec.seeds.team
    return make_fork_plan(
        ForkRequest(
            episode=folder,
            at=at,
            patches=(patch,),
            seed=first,
            seeds=options.continuations,
            control=True,
        )
    )


def _run(plan: Plan, folder: Path, options: Options, forks: Sequence[ForkPlan]) -> list[EpisodeResult]:
    def begin() -> None:
        for fork in forks:
            fork.begin(folder)

    async def run() -> list[EpisodeResult]:
        ran = await run_missing(
            plan,
            folder=folder,
            limits=limits_for(None),
            reporter=Quiet(),
            workspace=check_workspace(options.workspace),
            held=begin,
        )
        if ran.episodes.failed:
            raise UserError(f"episodes failed ({next(iter(ran.episodes.failed.values()))}); run it again")
        return ran.episodes.results

    return trio.run(run)


def _by_team(results: Sequence[EpisodeResult], control: str, treatment: str) -> tuple[FloatArray, FloatArray]:
    """Final scores of both arms, in the order of seeds; an artefact without a score counts as nothing found."""
    arms: list[FloatArray] = []
    for name in (control, treatment):
        of_arm = [each for each in results if each.spec.team.name == name]
        arms.append(np.array([each.final.value if each.final.value is not None else 0.0 for each in of_arm]))
    return arms[0], arms[1]


def _request(task: str, options: Options, *, patch: str | None = None) -> Request:
    patches = () if patch is None else (patch,)
    return Request(tasks=(task,), patches=patches, seeds=options.seeds, evaluations=options.budget)


def _parse(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.forks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", type=lambda text: text.split(","), default=["planted"])
    parser.add_argument(
        "--patches",
        type=lambda text: text.split(","),
        default=["remove reviewer vacuous", "remove hypothesizer vacuous"],
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--continuations", type=int, default=4)
    parser.add_argument("--budget", type=int, default=20)
    parser.add_argument(
        "--shares", type=lambda text: [float(part) for part in text.split(",")], default=[0.25, 0.5, 0.75]
    )
    parser.add_argument("--workspace", default="process")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for the records; run again, it goes on"
    )
    return parser.parse_args(argv, namespace=Options())


if __name__ == "__main__":
    main()
