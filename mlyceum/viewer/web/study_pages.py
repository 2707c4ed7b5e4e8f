"""Documents about studies: the list of them, the overview of one, its episodes, its arms side by side."""

from functools import lru_cache

import msgspec

from benchmarks.studies.design import Design, read_lock
from engine.errors import EngineError
from engine.index import open_index
from engine.task import Direction
from mlyceum.folders import INDEX
from mlyceum.viewer.web import studies
from mlyceum.viewer.web.catalogue import Catalogue, Cell, Filter, Page, Row, Sort, Totals
from mlyceum.viewer.web.curves import MeanCurve, mean_curve
from mlyceum.viewer.web.inside import NotServed, is_inside
from mlyceum.viewer.web.recordings import Recordings
from mlyceum.viewer.web.studies import Studies
from mlyceum.viewer.words import message_text
from tasks.registry import open_task

MOST_RUNNING = 12
"""Episodes whose journals are read for what they are doing."""
MOST_LISTED = 10
MOST_COMPARED = 40
"""Episodes of an arm that enter its curve."""
MOST_ARMS = 6


class StudyLine(msgspec.Struct, frozen=True, kw_only=True):
    """A study in the list."""

    name: str
    folder: str
    changed: float
    ended: int
    episodes: int
    outcomes: dict[str, int]
    tasks: tuple[str, ...]
    arms: int
    held: bool | None
    problem: str


class StudyList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of studies."""

    root: str
    single: str | None
    """The one study, where the folder is one."""
    rows: tuple[StudyLine, ...]
    total: int
    offset: int


class TaskFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader of a task's scores must know; Nones for a task that is not installed here."""

    name: str
    metric: str | None = None
    direction: Direction | None = None
    baseline: float | None = None
    optimum: float | None = None


class ArmFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An arm, as the design has it."""

    name: str
    kind: str = ""
    label: str = ""
    patches: tuple[str, ...] = ()


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What an episode is doing."""

    episode: str
    seconds: float
    evaluations: int
    budget: int | None
    best: float | None
    doing: str


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """A study at a glance."""

    name: str
    folder: str
    question: str
    primary: str
    """The primary comparison, in words; empty where none was named."""
    primary_axis: str
    totals: Totals
    tasks: tuple[TaskFacts, ...]
    arms: tuple[ArmFacts, ...]
    cells: tuple[Cell, ...]
    running: tuple[Running, ...]
    failed: tuple[Row, ...]
    latest: tuple[Row, ...]
    version: str


class EpisodeList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of episodes, with what can be chosen."""

    name: str
    page: Page
    tasks: tuple[str, ...]
    arms: tuple[str, ...]
    outcomes: dict[str, int]
    held: bool | None
    behind: bool
    version: str


class ArmComparison(msgspec.Struct, frozen=True, kw_only=True):
    """Arms on one task, side by side."""

    name: str
    task: TaskFacts
    curves: tuple[MeanCurve, ...]
    most: int
    tasks: tuple[str, ...]
    arms: tuple[str, ...]


def study_list(known: Studies, offset: int) -> StudyList:
    """A page of the studies, the one that changed last first."""
    found = known.all()
    rows = [_line(known, each) for each in found[offset : offset + studies.PAGE]]
    single = found[0].name if known.is_single and found else None
    return StudyList(root=str(known.root), single=single, rows=tuple(rows), total=len(found), offset=offset)


def _line(known: Studies, found: studies.Found) -> StudyLine:
    catalogue = known.catalogue(found.name)
    totals = catalogue.totals()
    tasks, arms = catalogue.names()
    return StudyLine(
        name=found.name,
        folder=found.name.replace("~", "/"),
        changed=found.changed,
        ended=totals.ended,
        episodes=totals.episodes,
        outcomes=totals.outcomes,
        tasks=tasks[:MOST_LISTED],
        arms=len(arms),
        held=totals.held,
        problem=totals.problem,
    )


def overview(known: Studies, recordings: Recordings, name: str) -> Overview:
    """A study at a glance.

    Raises:
        NotServed: there is none of that name.
    """
    catalogue = known.catalogue(name)
    totals = catalogue.totals()
    tasks, arms = catalogue.names()
    design = _design(known, name)
    running = _some(catalogue, "running", MOST_RUNNING)
    at_work = tuple(_running(known, recordings, name, row) for row in running)
    primary = design.primary if design is not None else None
    by_name = {arm.name: arm for arm in design.arms} if design is not None else {}
    return Overview(
        name=name,
        folder=str(known.folder(name)),
        question=design.question if design is not None else "",
        primary=f"{primary.name}: {primary.treatment} against {primary.control}"
        if primary is not None
        else "",
        primary_axis=design.primary_axis if design is not None else "",
        totals=totals,
        tasks=tuple(task_facts(task) for task in tasks if task),
        arms=tuple(
            ArmFacts(name=arm)
            if (known_arm := by_name.get(arm)) is None
            else ArmFacts(name=arm, kind=known_arm.kind, label=known_arm.label, patches=known_arm.patches)
            for arm in arms
            if arm
        ),
        cells=tuple(cell for cell in catalogue.cells() if cell.arm),
        running=at_work,
        failed=_some(catalogue, "failed", MOST_LISTED),
        latest=catalogue.page(
            Filter(), sort="latest", descending=True, offset=0, most=min(MOST_LISTED, totals.ended)
        ).rows,
        version=f"{_version(totals)}-{sum(each.evaluations + len(each.doing) for each in at_work)}",
    )


def _design(known: Studies, name: str) -> Design | None:
    folder = known.folder(name)
    if not is_inside(folder, "study.lock"):
        return None
    try:
        return read_lock(folder)
    except EngineError:
        return None  # of another version: the results speak for themselves


def _some(catalogue: Catalogue, outcome: str, most: int) -> tuple[Row, ...]:
    return catalogue.page(Filter(outcome=outcome), sort="episode", descending=False, offset=0, most=most).rows


def _running(known: Studies, recordings: Recordings, name: str, row: Row) -> Running:
    try:
        view = recordings.open(known.folder(name), row.episode).snapshot().view
    except NotServed:
        return Running(episode=row.episode, seconds=0, evaluations=0, budget=None, best=None, doing="begins")
    values = [each.score.value for each in view.feedback if each.score.value is not None]
    best = min if view.brief is not None and view.brief.direction == "min" else max
    last = view.messages[-1] if view.messages else None
    return Running(
        episode=row.episode,
        seconds=view.seconds,
        evaluations=len(view.feedback),
        budget=view.brief.evaluations if view.brief is not None else None,
        best=best(values, default=None),
        doing=f"{last.sender}: {message_text(last.body)}"[:300] if last is not None else "begins",
    )


def _version(totals: Totals) -> str:
    return (
        "-".join(f"{name}{count}" for name, count in totals.outcomes.items())
        + f"-{totals.held}-{totals.ended}"
    )


def episode_list(
    known: Studies, name: str, chosen: Filter, *, sort: Sort, descending: bool, offset: int
) -> EpisodeList:
    """A page of a study's episodes.

    Raises:
        NotServed: there is no study of that name.
    """
    catalogue = known.catalogue(name)
    page = catalogue.page(chosen, sort=sort, descending=descending, offset=offset)
    totals = catalogue.totals()
    tasks, arms = catalogue.names()
    return EpisodeList(
        name=name,
        page=page,
        tasks=tasks,
        arms=arms,
        outcomes=totals.outcomes,
        held=totals.held,
        behind=totals.behind,
        version=_version(totals),
    )


@lru_cache(maxsize=256)
def task_facts(task: str) -> TaskFacts:
    """The facts of a task, as far as they are known here."""
    try:
        card = open_task(task).card
    except EngineError:
        return TaskFacts(name=task)
    return TaskFacts(
        name=task, metric=card.metric, direction=card.direction, baseline=card.baseline, optimum=card.optimum
    )


def arm_comparison(known: Studies, name: str, task: str, arms: tuple[str, ...]) -> ArmComparison:
    """Arms on a task, by the curves of their episodes.

    Args:
        known: the studies that are served.
        name: the study's.
        task: empty: the first one.
        arms: none: the first ones.

    Raises:
        NotServed: there is no study of that name.
    """
    catalogue = known.catalogue(name)
    tasks, all_arms = catalogue.names()
    task = task or next((each for each in tasks if each), "")
    chosen = [arm for arm in (arms or all_arms) if arm in all_arms and arm][:MOST_ARMS]
    folder = known.folder(name)
    curves: list[MeanCurve] = []
    if is_inside(folder, INDEX):
        with open_index(folder / INDEX, read_only=True) as index:
            for arm in chosen:
                rows = catalogue.page(
                    Filter(task=task, arm=arm), sort="seed", descending=False, offset=0, most=MOST_COMPARED
                ).rows
                results = [index.one(row.episode) for row in rows if row.outcome not in _NOT_ENDED]
                curves.append(mean_curve(arm, [result for result in results if result is not None]))
    return ArmComparison(
        name=name,
        task=task_facts(task),
        curves=tuple(curves),
        most=MOST_COMPARED,
        tasks=tasks,
        arms=all_arms,
    )


_NOT_ENDED = frozenset({"failed", "running", "interrupted", "waiting"})
