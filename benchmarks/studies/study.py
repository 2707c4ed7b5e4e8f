"""A study's folder: who holds it, what it is a study of, and where its records are.

::

    study.lock           the design, where a study file (or `Design`) made it; study.toml: the file that it implies
    looks.jsonl          each time that results were summarised
    study.json           the resolved specifications, and each run's limits, workspace and versions
    index.sqlite         which episodes are done, and what came of them
    episodes/NAME/       one journal each
    artefacts/           every version that was ever scored, by content hash
    scores.jsonl         scores by (artefact, split, seed …)
    .lock                held while a run works in the folder (.lease, where it works on a copy of it)
"""

import errno
import fcntl
import os
import platform
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from benchmarks.studies.lease import refuse_leased
from engine.episode import EpisodeSpec
from engine.errors import BadSpecification, OutputUnusable, RecordDamaged
from engine.index import Index, open_index
from engine.models.cache import CacheUse
from engine.scheduler import Limit
from engine.store import ArtefactStore
from engine.workspace.interface import IsolationReport

STUDY_VERSION = 1
_PACKAGES = ("mlyceum", "trio", "anyio", "httpx", "msgspec", "numpy")
_OWN = frozenset(
    {
        "study.json",
        "study.lock",
        "study.toml",
        "looks.jsonl",
        "index.sqlite",
        "episodes",
        "artefacts",
        "scores.jsonl",
        ".lock",
        ".lease",
        "secret",
    }
)

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a study: the first, or one that went on."""

    began: str
    """UTC, ISO 8601."""
    limits: tuple[Limit, ...]
    workspace: str
    isolation: IsolationReport
    fallback: str | None
    """Why code ran without isolation, where it did."""
    versions: dict[str, str]
    failed: dict[str, str] = {}
    """Episodes that the outside let down, and why."""
    retried: dict[str, int] = {}
    """Episodes that the outside let down and that were tried again at once, and how often."""
    model_cache: CacheUse | msgspec.UnsetType = msgspec.UNSET
    """That models were asked through a cache of completions; absent where they were not."""
    replay_of: str | msgspec.UnsetType = msgspec.UNSET
    """The study whose records answered instead of models; absent where none did."""


class StudyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """``study.json``."""

    version: int
    episodes: tuple[EpisodeSpec, ...]
    runs: tuple[RunRecord, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Study:
    """An open study's folder, held by this process."""

    folder: Path
    index: Index
    store: ArtefactStore
    specs: tuple[EpisodeSpec, ...]

    @property
    def scores(self) -> Path:
        """The file of scores."""
        return self.folder / "scores.jsonl"

    @property
    def is_complete(self) -> bool:
        """Whether every episode is done."""
        return all(self.index.done(spec.id, spec.digest()) is not None for spec in self.specs)

    def add_run(self, run: RunRecord) -> None:
        """Put down that a run begins.

        Raises:
            OutputUnusable: when it cannot be written.
        """
        record = read_study(self.folder)
        _write(self.folder, msgspec.structs.replace(record, runs=(*record.runs, run)))

    def add_runs(self, runs: tuple[RunRecord, ...]) -> None:
        """Put down runs that were made elsewhere, in the order in which they began; known ones once.

        Raises:
            OutputUnusable: when it cannot be written.
        """
        record = read_study(self.folder)
        together = [*record.runs, *(run for run in runs if run not in record.runs)]
        together.sort(key=lambda run: run.began)
        if tuple(together) != record.runs:
            _write(self.folder, msgspec.structs.replace(record, runs=tuple(together)))

    def end_run(
        self,
        failed: dict[str, str],
        retried: dict[str, int] | None = None,
        *,
        model_cache: CacheUse | None = None,
    ) -> None:
        """Put down which episodes the last run could not do, which it did at another try, and what a cache did.

        Raises:
            OutputUnusable: when it cannot be written.
        """
        record = read_study(self.folder)
        *earlier, last = record.runs
        ended = msgspec.structs.replace(last, failed=failed, retried=retried or {})
        if model_cache is not None:
            ended = msgspec.structs.replace(ended, model_cache=model_cache)
        if ended != last:
            _write(self.folder, msgspec.structs.replace(record, runs=(*earlier, ended)))

    def secret(self) -> bytes:
        """Random bytes that belong to this study, made once; no workspace and no record ever holds them.

        Raises:
            OutputUnusable: when they cannot be kept.
        """
        path = self.folder / "secret"
        try:
            if not path.exists():
                partial = path.with_name(".secret.partial")
                partial.unlink(missing_ok=True)
                with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(os.urandom(32))
                partial.replace(path)
            return path.read_bytes()
        except OSError as error:
            raise _unusable(self.folder, error) from error


@contextmanager
def open_study(folder: Path, specs: Sequence[EpisodeSpec], *, extends: bool = False) -> Generator[Study]:
    """A study's folder, made or gone on with, and held until the block ends.

    Args:
        folder: of the study.
        specs: every episode.
        extends: whether they may be more than the folder is known to hold.

    Raises:
        OutputUnusable: it cannot be written, another run holds it, or it holds something else.
        BadSpecification: it is a study of something else.
        RecordDamaged: its ``study.json`` cannot be read.
    """
    with _held(folder):
        _remember(folder, tuple(specs), extends=extends)
        with open_index(folder / "index.sqlite") as index:
            yield Study(
                folder=folder, index=index, store=ArtefactStore(folder / "artefacts"), specs=tuple(specs)
            )


def read_study(folder: Path) -> StudyRecord:
    """What a folder is a study of.

    Raises:
        RecordDamaged: when ``study.json`` is not there or cannot be read.
    """
    path = folder / "study.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=StudyRecord)
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordDamaged(f"{path} cannot be read ({error}); name a study's folder") from error


def is_unfinished_study_of(folder: Path, specs: Sequence[EpisodeSpec]) -> bool:
    """Whether a folder holds just this study, with episodes left to do, and no run works in it."""
    try:
        if read_study(folder).episodes != tuple(specs):
            return False
        with open_study(folder, specs) as study:
            return not study.is_complete
    except (OutputUnusable, RecordDamaged, BadSpecification):
        return False


def new_folder(runs: Path, name: str) -> Path:
    """A fresh folder below ``runs`` named by the time and what is studied.

    Raises:
        OutputUnusable: when it cannot be made.
    """
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}-{name}"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        for number in range(1, 100):
            folder = runs / (stamp if number == 1 else f"{stamp}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise _unusable(runs, error) from error
    raise OutputUnusable(f"{runs} holds a hundred folders of this second; name one with --out")


def point_latest_at(folder: Path) -> None:
    """Let ``latest`` beside a folder lead to it; a convenience, so that failing to is no fault."""
    link, partial = folder.parent / "latest", folder.parent / f".latest.{os.getpid()}"
    try:
        partial.unlink(missing_ok=True)
        partial.symlink_to(folder.name)
        partial.replace(link)
    except OSError:
        return


def make_run_record(
    *,
    limits: Sequence[Limit],
    workspace: str,
    isolation: IsolationReport,
    fallback: str | None,
    replay_of: str | None = None,
) -> RunRecord:
    """This run, as the record tells of it."""
    return RunRecord(
        began=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        limits=tuple(limits),
        workspace=workspace,
        isolation=isolation,
        fallback=fallback,
        versions={"python": platform.python_version(), "kernel": platform.release(), **_versions()},
        replay_of=msgspec.UNSET if replay_of is None else replay_of,
    )


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@contextmanager
def _held(folder: Path) -> Generator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        refuse_strangers(folder)
        refuse_leased(folder)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputUnusable(
                f"another run is working in {folder}; wait for it, or name another folder with --out"
            ) from error
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise OutputUnusable(
                    f"{folder} is on a file system without locks; work on the node's own disk with "
                    "`mlyceum study --scratch DIR`, or name another folder with --out"
                ) from error
            raise _unusable(folder, error) from error
        yield
    finally:
        os.close(lock)


def refuse_locked(folder: Path) -> None:
    """Refuse a folder that a run on this machine works in.

    Raises:
        OutputUnusable: there is one.
    """
    try:
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputUnusable(
            f"another run is working in {folder}; wait for it, or name another folder with --out"
        ) from error
    except OSError:
        return  # a file system without locks has no such run
    finally:
        os.close(lock)


def refuse_strangers(folder: Path) -> None:
    """Refuse a folder that holds anything else than a study.

    Raises:
        OutputUnusable: naming a file.
    """
    strangers = sorted(path.name for path in folder.iterdir() if not _is_own(path.name))
    if strangers and not (folder / "study.json").exists():
        raise OutputUnusable(
            f"{folder} holds other files ({strangers[0]}) and no study; name a new or empty folder with --out"
        )


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith("index.sqlite-") or name.endswith(".partial")


def _remember(folder: Path, specs: tuple[EpisodeSpec, ...], *, extends: bool) -> None:
    if not (folder / "study.json").exists():
        _write(folder, StudyRecord(version=STUDY_VERSION, episodes=specs))
        return
    known = read_study(folder)
    if known.version != STUDY_VERSION:
        raise BadSpecification(
            str(folder),
            f"a study of version {known.version}, this program writes version {STUDY_VERSION}; "
            "name another folder with --out",
        )
    if extends and known.episodes != specs and _holds(specs, known.episodes):
        _write(folder, msgspec.structs.replace(known, episodes=specs))
    elif known.episodes != specs:
        raise BadSpecification(
            str(folder),
            f"holds another study ({_difference(known.episodes, specs)}); name another folder with --out",
        )


def _holds(specs: tuple[EpisodeSpec, ...], some: tuple[EpisodeSpec, ...]) -> bool:
    by_id = {spec.id: spec for spec in specs}
    return all(by_id.get(spec.id) == spec for spec in some)


def _difference(known: tuple[EpisodeSpec, ...], asked: tuple[EpisodeSpec, ...]) -> str:
    """What the first difference is, in a few words."""
    if len(known) != len(asked):
        return f"of {len(known)} episodes, not {len(asked)}"
    for old, new in zip(known, asked, strict=True):
        if old.id != new.id:
            return f"with the episode {old.id}, not {new.id}"
        for field in EpisodeSpec.__struct_fields__:
            if getattr(old, field) != getattr(new, field):
                return f"{old.id} has another {field.replace('hashes', 'version of task, moves or prompts')}"
    return "of something else"


def _write(folder: Path, record: StudyRecord) -> None:
    partial = folder / "study.json.partial"
    try:
        with partial.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / "study.json")
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: OSError) -> OutputUnusable:
    return OutputUnusable(
        f"cannot write in {folder}: {error.strerror or error}; free some space or choose another folder with --out"
    )
