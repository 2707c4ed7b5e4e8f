"""Which folder a run works in, where the user names one and where not."""

from pathlib import Path

from benchmarks.studies.plan import Plan
from benchmarks.studies.reporter import Reporter
from benchmarks.studies.study import is_unfinished_study_of, new_folder, point_latest_at

RUNS = Path("runs")


def folder_for(plan: Plan, out: Path | None, reporter: Reporter) -> Path:
    """The folder asked for; else the last run's, where it is this very study and unfinished; else a new one.

    Raises:
        OutputUnusable: when a new one cannot be made.
    """
    if out is not None:
        return out
    latest = RUNS / "latest"
    if latest.exists() and is_unfinished_study_of(latest, plan.specs):
        folder = RUNS / latest.resolve().name
        reporter.note(f"going on in {folder}")
        return folder
    names = list(plan.tasks)
    folder = new_folder(RUNS, names[0].replace("@", ".") if len(names) == 1 else "tasks")
    point_latest_at(folder)
    return folder
