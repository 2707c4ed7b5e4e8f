"""A study as data frames: `mlyceum.load`. Needs the extra ``[study]`` (polars), which is imported when a frame is asked for.

A frame is made when it is first looked at and kept; the columns, with units, are in `mlyceum.frame_rows`. Texts in them
are as agents wrote them: nothing here runs or renders them.
"""

import gc
import importlib
from collections import ChainMap
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

import msgspec

from benchmarks.studies.design import Design, read_lock
from benchmarks.studies.study import StudyRecord, read_study
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification, UnknownName, UserError
from engine.journal import AnyRecord
from engine.messages import ArtefactHash
from engine.seeds import evaluation_seed
from engine.task import Score, TaskCard
from mlyceum.folders import EPISODES, STUDY, study_folder
from mlyceum.frame_making import journal_rows
from mlyceum.frame_rows import ROWS, EpisodeRow, Kind, Row, columns
from mlyceum.reading import EpisodeView, episode_view, read_records, read_results
from tasks.registry import open_task
from tasks.score_cache import ScoreKey

if TYPE_CHECKING:
    import polars

EPISODES_AT_ONCE = 200
"""Journals whose rows are held as Python objects; columns take a tenth of their memory."""


class ExtraMissing(UserError):
    """Raised when a part that is not installed is asked for; the sentence says how to get it."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}; install it with: pip install 'mlyceum[{extra}]'")


def load(folder: str | Path) -> "StudyFrames":
    """A study's record as data frames, finished or not.

    Args:
        folder: what ``mlyceum run --out`` or ``mlyceum study`` wrote.

    Raises:
        NotAStudy: when it is no study's folder.
        RecordDamaged: when its files cannot be read.
    """
    return StudyFrames(study_folder(Path(folder)))


class StudyFrames:
    """The frames of one study. Made by `load`, from the record as it stands at each frame's first use.

    Attributes:
        folder: of the study.
        name: of the study: its own, or its folder's.
        design: what it was to answer, where the folder has a ``study.lock``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.design: Design | None = read_lock(folder)
        self.name = self.design.name if self.design is not None else folder.resolve().name

    def __repr__(self) -> str:
        return f"<StudyFrames {self.name!r}: {', '.join(ROWS)}>"

    @cached_property
    def results(self) -> tuple[EpisodeResult, ...]:
        """Results of the episodes that have ended, by name."""
        return read_results(self.folder)

    @cached_property
    def specs(self) -> tuple[EpisodeSpec, ...]:
        """Every episode of the study, in the order asked for; those that only have a result come last."""
        asked = self._record.episodes
        names = {spec.id for spec in asked}
        return (*asked, *(result.spec for result in self.results if result.episode not in names))

    @cached_property
    def _record(self) -> StudyRecord:
        if not (self.folder / STUDY).is_file():
            return StudyRecord(version=1, episodes=())
        return read_study(self.folder)

    @cached_property
    def episodes(self) -> "polars.DataFrame":
        """One row an episode (`mlyceum.frame_rows.EpisodeRow`)."""
        return _frame("episodes", self.episode_rows())

    @cached_property
    def messages(self) -> "polars.DataFrame":
        """One row a message (`mlyceum.frame_rows.MessageRow`)."""
        return self._from_journals(("messages",))["messages"]

    @cached_property
    def calls(self) -> "polars.DataFrame":
        """One row a call to a model (`mlyceum.frame_rows.CallRow`)."""
        return self._from_journals(("calls",))["calls"]

    @cached_property
    def commands(self) -> "polars.DataFrame":
        """One row a command (`mlyceum.frame_rows.CommandRow`)."""
        return self._from_journals(("commands",))["commands"]

    @cached_property
    def experiments(self) -> "polars.DataFrame":
        """One row an experiment (`mlyceum.frame_rows.ExperimentRow`)."""
        return self._from_journals(("experiments",))["experiments"]

    @cached_property
    def scores(self) -> "polars.DataFrame":
        """One row a scoring (`mlyceum.frame_rows.ScoreRow`)."""
        return self._from_journals(("scores",))["scores"]

    @cached_property
    def nodes(self) -> "polars.DataFrame":
        """One row a node of a research tree (`mlyceum.frame_rows.NodeRow`)."""
        return self._from_journals(("nodes",))["nodes"]

    @cached_property
    def decisions(self) -> "polars.DataFrame":
        """One row a decision (`mlyceum.frame_rows.DecisionRow`)."""
        return self._from_journals(("decisions",))["decisions"]

    @cached_property
    def curves(self) -> "polars.DataFrame":
        """One row a number of evaluations spent (`mlyceum.frame_rows.CurveRow`)."""
        return self._from_journals(("curves",))["curves"]

    def frame(self, name: str) -> "polars.DataFrame":
        """The frame of a name.

        Raises:
            UnknownName: there is none of that name.
        """
        _check_name(name)
        return cast("polars.DataFrame", getattr(self, name))

    def labelled(self, name: str) -> "polars.DataFrame":
        """A frame with task, arm, block and pilot flag of its episodes in front: ready to be grouped."""
        frame = self.frame(name)
        if name == "episodes":
            return frame
        labels = self.episodes.select("episode", "task", "arm", "block", "is_pilot")
        return labels.join(frame, on="episode", how="inner", maintain_order="right")

    def to_pandas(self, name: str) -> object:
        """A frame as a ``pandas.DataFrame``; pandas is no part of any extra, and must be there.

        Raises:
            UserError: without pandas.
            UnknownName: there is no frame of that name.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise UserError(
                "to_pandas needs pandas; install it with: pip install pandas, or use the polars frames as they are"
            ) from error
        frame = self.frame(name)
        # Through Python values: the shorter way (`polars.DataFrame.to_pandas`) needs pyarrow as well.
        return cast("object", pandas.DataFrame(frame.to_dict(as_series=False), columns=frame.columns))

    def episode_rows(self) -> Iterator[EpisodeRow]:
        """The rows of `episodes`, without polars."""
        failed = self._record.runs[-1].failed if self._record.runs else {}
        cards: dict[str, TaskCard | None] = {}
        for spec in self.specs:
            if spec.task not in cards:
                cards[spec.task] = _card(spec.task)
            is_pilot = self.design is not None and self.design.is_pilot(spec.seeds)
            result = self._done.get(spec.id)
            view = self.read(spec)[0] if result is None else None
            yield _episode_row(
                spec,
                cards[spec.task],
                study=self.name,
                arm_kind=self._kind(spec),
                is_pilot=is_pilot,
                result=result,
                view=view,
                failed=failed.get(spec.id) if result is None else None,
            )

    def _kind(self, spec: EpisodeSpec) -> str | None:
        arm = self.design.arm(spec.team.name) if self.design is not None else None
        return arm.kind if arm is not None else None

    def read(self, spec: EpisodeSpec) -> tuple[EpisodeView, tuple[AnyRecord, ...]]:
        """The view and the lines of one episode's journal; both empty where it has none yet."""
        folder = self.folder / EPISODES / spec.id
        records = read_records(folder)
        result = self._done.get(spec.id)
        return episode_view(records, episode=spec.id, folder=str(folder), spec=spec, result=result), records

    def make(self, *names: str) -> dict[str, "polars.DataFrame"]:
        """Frames by name, all of them where none is named; what is missing is made in one reading of the journals.

        Raises:
            UnknownName: there is no frame of that name.
            RecordDamaged: a journal cannot be read; it says which.
        """
        wanted = tuple(names) or tuple(ROWS)
        missing = tuple(name for name in wanted if name not in self.__dict__ and name != "episodes")
        if missing:
            self.__dict__.update(self._from_journals(missing))
        return {name: self.frame(name) for name in wanted}

    def _from_journals(self, names: tuple[str, ...]) -> "dict[str, polars.DataFrame]":
        for name in names:
            _check_name(name)
        pl = polars_or_sentence()
        parts: dict[str, list[polars.DataFrame]] = {name: [_frame(name, ())] for name in names}
        for begin in range(0, len(self.specs), EPISODES_AT_ONCE):
            with _collector_paused():
                rows: dict[str, list[Row]] = {name: [] for name in names}
                for spec in self.specs[begin : begin + EPISODES_AT_ONCE]:
                    self._add_rows(spec, rows)
                for name in names:
                    parts[name].append(_frame(name, rows[name]))
        return {name: cast("polars.DataFrame", pl.concat(parts[name], rechunk=True)) for name in names}

    def _add_rows(self, spec: EpisodeSpec, rows: Mapping[str, list[Row]]) -> None:
        view, records = self.read(spec)
        finals: Mapping[ArtefactHash, float] = self._finals.of(spec) if "curves" in rows else {}
        for name, of_frame in rows.items():
            of_frame.extend(journal_rows(name, view, records, finals))

    @cached_property
    def _done(self) -> Mapping[str, EpisodeResult]:
        return {result.episode: result for result in self.results}

    def finals_of(self, spec: EpisodeSpec) -> Mapping[ArtefactHash, float]:
        """Final scores that the study knows of artefacts of an episode's task; the team never saw them."""
        return self._finals.of(spec)

    @cached_property
    def _finals(self) -> "_Finals":
        return _Finals(self.folder / "scores.jsonl")


def _check_name(name: str) -> None:
    if name not in ROWS:
        raise UnknownName("frame", name, ROWS)


@contextmanager
def _collector_paused() -> Generator[None]:
    """Without the cyclic collector: nothing made here has cycles, and looking for them takes half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _FinalLine(msgspec.Struct, frozen=True):
    """Of a line of ``scores.jsonl``, what a curve is made from."""

    key: ScoreKey
    score: Score


class _Finals:
    """Final scores that a study's file of scores holds."""

    def __init__(self, path: Path) -> None:
        self._by_seed: dict[tuple[str, str, int], dict[ArtefactHash, float]] = {}
        self._first: dict[tuple[str, str], dict[ArtefactHash, float]] = {}
        if not path.is_file():
            return
        decoder = msgspec.json.Decoder(_FinalLine)
        with path.open("rb") as file:
            for line in file:
                if b'"split":"final"' not in line:
                    continue
                try:
                    entry = decoder.decode(line)
                except (ValueError, RecursionError):
                    continue  # a torn tail, or a line of another version: as the cache itself takes it
                self._add(entry)

    def _add(self, entry: _FinalLine) -> None:
        key, value = entry.key, entry.score.value
        if value is None:
            return
        self._by_seed.setdefault((key.task, key.protocol, key.seed), {})[key.artefact] = value
        self._first.setdefault((key.task, key.protocol), {}).setdefault(key.artefact, value)

    def of(self, spec: EpisodeSpec) -> Mapping[ArtefactHash, float]:
        """By artefact: at the episode's own final seed, else at the first seed on file."""
        own = evaluation_seed(spec.seeds, split="final", ordinal=1)
        return ChainMap(
            self._by_seed.get((spec.task, spec.protocol, own), {}),
            self._first.get((spec.task, spec.protocol), {}),
        )


def _card(task: str) -> TaskCard | None:
    """The card of a task; None where the study is of a task that is not here."""
    try:
        return open_task(task).card
    except (UnknownName, BadSpecification):
        return None


def block_of(spec: EpisodeSpec) -> str:
    """What names an episode's block: its task and seeds."""
    seeds = spec.seeds
    same = seeds.task == seeds.team == seeds.evaluation
    return (
        f"{spec.task}/{seeds.team}" if same else f"{spec.task}/{seeds.task}-{seeds.team}-{seeds.evaluation}"
    )


def _episode_row(
    spec: EpisodeSpec,
    card: TaskCard | None,
    *,
    study: str,
    arm_kind: str | None,
    is_pilot: bool,
    result: EpisodeResult | None,
    view: EpisodeView | None,
    failed: str | None,
) -> EpisodeRow:
    """The row of an episode: from its result, else from as much of a journal as there is."""
    spending = result.spending if result is not None else view.spending if view is not None else {}
    began = view is not None and view.head is not None
    state = "ended" if result else "failed" if failed is not None else "unfinished" if began else "waiting"
    final = result.final if result is not None else None
    held_out = result.held_out if result is not None else None
    best = result.best_feedback_final if result is not None else None
    return EpisodeRow(
        study=study,
        episode=spec.id,
        task=spec.task,
        arm=spec.team.name,
        arm_kind=arm_kind,
        block=block_of(spec),
        is_pilot=is_pilot,
        task_seed=spec.seeds.task,
        team_seed=spec.seeds.team,
        evaluation_seed=spec.seeds.evaluation,
        strategy=spec.team.strategy.kind,
        model=spec.model,
        protocol=spec.protocol,
        patches=spec.team.patches,
        metric=card.metric if card is not None else None,
        direction=card.direction if card is not None else None,
        baseline=_baseline(card, spec) if card is not None else None,
        state=state,
        outcome=result.outcome if result is not None else None,
        reason=(result.reason or result.final.failure or None) if result is not None else failed,
        final=final.value if final is not None else None,
        final_standard_error=final.standard_error if final is not None and final.value is not None else None,
        counted=_counted(final, card, spec) if final is not None else None,
        held_out=held_out.value if held_out is not None else None,
        best_feedback_final=best.value if best is not None else None,
        selected=result.selected if result is not None else None,
        findings=sum(not each.advisory for each in final.findings) if final is not None else None,
        evaluations=int(spending.get("evaluations", 0)),
        steps=spending.get("steps", 0.0),
        tokens=spending.get("tokens", 0.0),
        cost_usd=spending.get("cost_usd", 0.0),
        device_seconds=spending.get("device_seconds", 0.0),
        budget_evaluations=spec.budget.evaluations,
        budget_cost_usd=spec.budget.cost_usd,
        messages=result.messages if result is not None else len(view.messages) if view is not None else None,
        deterministic=result.deterministic if result is not None else not spec.team.arrival_order,
        seconds=result.measured.seconds if result is not None else view.seconds if began and view else None,
    )


def _baseline(card: TaskCard, spec: EpisodeSpec) -> float:
    """Of the protocol's own evaluation: as published under ``mlgym``, exact under ``verified``."""
    if spec.protocol == "mlgym" and card.published_baseline is not None:
        return card.published_baseline
    return card.baseline


def _counted(final: Score, card: TaskCard | None, spec: EpisodeSpec) -> float | None:
    if final.value is not None or card is None:
        return final.value
    return card.floor if card.floor is not None else _baseline(card, spec)


def polars_or_sentence() -> ModuleType:
    """The package that frames are made with.

    Raises:
        ExtraMissing: it is not installed.
    """
    try:
        import polars
    except ImportError as error:
        raise ExtraMissing("a data frame", "polars", "study") from error
    return polars


def _frame(name: str, rows: Iterable[Row]) -> "polars.DataFrame":
    """A frame of typed columns, also where there is no row."""
    pl = polars_or_sentence()
    types: dict[Kind, object] = {
        "text": pl.String,
        "int": pl.Int64,
        "float": pl.Float64,
        "bool": pl.Boolean,
        "texts": pl.List(pl.String),
        "ints": pl.List(pl.Int64),
        "floats": pl.List(pl.Float64),
    }
    schema = {column.name: types[column.kind] for column in columns(name)}
    cells = list(zip(*map(msgspec.structs.astuple, rows), strict=True)) or [()] * len(schema)
    data = dict(zip(schema, cells, strict=True))
    return cast("polars.DataFrame", pl.DataFrame(data, schema=schema, strict=False))
