"""``python -m benchmarks.offline``: run the arms, draw the curves, print the tables.

Interrupted, the same command goes on from the records. ``--report`` prints and draws what is there without running.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import trio

from benchmarks.offline.arms import ARMS, Arm
from benchmarks.offline.curves import Curve, make_curves
from benchmarks.offline.pictures import picture
from benchmarks.offline.report import table
from benchmarks.studies.plan import Plan, Request, make_plan
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.running import limits_for, run_plan
from benchmarks.studies.study import open_study
from engine.episode import EpisodeResult
from engine.errors import EngineError
from engine.workspace.backends import BackendName, make_backend
from tasks.registry import open_task
from tasks.score_cache import ScoreCache
from tasks.scoring import SandboxJudge

DEFAULT_TASKS = (
    "battle-of-sexes",
    "prisoners-dilemma",
    "colonel-blotto",
    "colonel-blotto@templates",
    "3-sat",
    "battle-of-sexes-hard",
    "prisoners-dilemma-hard",
    "colonel-blotto-hard",
    "3-sat-hard",
    "planted",
)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.offline", description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(DEFAULT_TASKS), metavar="TASK")
    parser.add_argument("--seeds", type=int, default=20, help="episodes of each arm on each task")
    parser.add_argument("--budget", type=int, default=60, help="feedback evaluations of an episode")
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="names of arms; default: all")
    parser.add_argument("--feedback-size", type=int, help="games or instances of one feedback score")
    parser.add_argument("--jobs", type=int, help="episodes at once in a process")
    parser.add_argument(
        "--processes", type=int, default=1, help="tasks at once, each in a process of its own"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/offline"))
    parser.add_argument("--report", action="store_true", help="only print and draw what was found")
    parser.add_argument("--pictures", type=Path, help="folder for SVG pictures (extra: viz)")
    parser.add_argument(
        "--workspace",
        default="process",
        choices=["sandbox", "process"],
        help="process is enough for code that no model wrote, and starts faster",
    )
    options = parser.parse_args()
    chosen = [arm for arm in ARMS if options.arms is None or arm.name in options.arms]
    try:
        if not options.report:
            if options.processes > 1 and len(options.tasks) > 1:
                trio.run(_in_processes, options.tasks, options.processes, sys.argv[1:])
            else:
                for task in options.tasks:
                    trio.run(_run_task, task, chosen, options)
        _report(options.out, options.tasks, options.pictures)
    except EngineError as error:
        sys.exit(f"benchmarks.offline: {error}")


async def _in_processes(tasks: Sequence[str], places: int, arguments: Sequence[str]) -> None:
    limiter = trio.CapacityLimiter(places)
    kept = [*arguments]
    for option in ("--tasks", "--processes", "--pictures"):
        if option in kept:
            start = kept.index(option)
            end = next((i for i in range(start + 1, len(kept)) if kept[i].startswith("--")), len(kept))
            del kept[start:end]

    async def run(task: str) -> None:
        async with limiter:
            command = [sys.executable, "-m", "benchmarks.offline", "--tasks", task, *kept]
            await trio.run_process(command, stdout=None, stderr=None)

    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(run, task)


async def _run_task(task: str, arms: Sequence[Arm], options: argparse.Namespace) -> None:
    folder = Path(options.out) / task.replace("@", ".")
    plan, names = _plan(task, arms, options)
    workspace: BackendName = options.workspace
    await run_plan(
        plan, folder=folder, limits=limits_for(options.jobs), reporter=Quiet(), workspace=workspace
    )
    backend = (await make_backend(workspace)).backend
    with open_study(folder, plan.specs) as study:
        package = plan.tasks[task]
        judge = SandboxJudge(
            package, "verified", store=study.store, backend=backend, cache=ScoreCache(study.scores)
        )
        results: list[tuple[str, EpisodeResult]] = [
            (names[r.spec.team.name], r) for r in study.index.results()
        ]
        curves = await make_curves(
            results,
            starter=study.store.put(package.starter),
            judge=judge,
            card=package.card,
            places=limits_for(options.jobs).scorings.value,
        )
    order = [arm.name for arm in arms]
    curves.sort(key=lambda curve: (order.index(curve.arm), curve.seed))
    (folder / "curves.json").write_bytes(msgspec.json.encode(curves))


def _plan(task: str, arms: Sequence[Arm], options: argparse.Namespace) -> tuple[Plan, dict[str, str]]:
    """One plan of all arms, interleaved by seed; team name to arm name."""
    plans = {
        arm: make_plan(
            Request(
                tasks=(task,),
                team=arm.team,
                without=arm.without,
                seeds=options.seeds,
                evaluations=options.budget,
                feedback_size=options.feedback_size,
            )
        )
        for arm in arms
    }
    rows = zip(*(plan.specs for plan in plans.values()), strict=True)
    whole = replace(plans[arms[0]], specs=tuple(spec for row in rows for spec in row))
    return whole, {plan.team.name: arm.name for arm, plan in plans.items()}


def _report(out: Path, tasks: Sequence[str], pictures: Path | None) -> None:
    for task in tasks:
        path = out / task.replace("@", ".") / "curves.json"
        if not path.exists():
            sys.stdout.write(f"{task}: not run yet\n\n")
            continue
        curves = msgspec.json.decode(path.read_bytes(), type=list[Curve])
        package = open_task(task)
        card = msgspec.structs.replace(package.card, id=task)
        sys.stdout.write(f"{table(curves, card)}\n\n")
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            picture(curves, card, pictures / f"offline-{task.replace('@', '-')}.svg")


if __name__ == "__main__":
    main()
