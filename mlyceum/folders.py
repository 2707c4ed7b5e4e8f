"""Where things lie: a study's folder, its episodes, and what a path on the command line means."""

from pathlib import Path

from engine.errors import UnknownName, UserError

INDEX = "index.sqlite"
STUDY = "study.json"
EPISODES = "episodes"
JOURNAL = "journal.jsonl"


class NotAStudy(UserError):
    """Raised when a path is neither a study's folder nor an episode's; the sentence says what it is."""


def is_study(folder: Path) -> bool:
    """Whether a folder looks like one that `mlyceum run` writes."""
    return (folder / INDEX).is_file() or (folder / STUDY).is_file() or (folder / EPISODES).is_dir()


def study_folder(path: Path) -> Path:
    """The study that a path names: its folder, or the folder of its episodes.

    Raises:
        NotAStudy: when it is nothing of the kind.
    """
    if is_study(path):
        return path
    if path.name == EPISODES and is_study(path.parent):
        return path.parent
    if not path.exists():
        raise NotAStudy(f"{path} does not exist; name the folder that `mlyceum run --out` wrote")
    if not path.is_dir():
        raise NotAStudy(f"{path} is no folder; name the folder that `mlyceum run --out` wrote")
    raise NotAStudy(
        f"{path} is not a study's folder (it has no {INDEX}, {STUDY} or {EPISODES}/); name one that has"
    )


def episode_names(study: Path) -> tuple[str, ...]:
    """The episodes that have a folder, by name."""
    episodes = study / EPISODES
    return (
        tuple(sorted(each.name for each in episodes.iterdir() if each.is_dir())) if episodes.is_dir() else ()
    )


def episode_folder(path: Path) -> Path | None:
    """The episode's folder that ``STUDY/EPISODE`` or ``STUDY/episodes/EPISODE`` names; None for a study's folder.

    Raises:
        UnknownName: when the study has no such episode; carries what was probably meant.
        NotAStudy: when the path is nothing of the kind.
    """
    if (path / JOURNAL).is_file() or (path.is_dir() and path.parent.name == EPISODES):
        return path
    if is_study(path) or (path.name == EPISODES and is_study(path.parent)):
        return None
    study = path.parent.parent if path.parent.name == EPISODES else path.parent
    if not is_study(study):
        study_folder(path)
    folder = study / EPISODES / path.name
    if not folder.is_dir():
        known = episode_names(study)
        if not known:
            raise NotAStudy(f"{study} holds no episode yet; run `mlyceum run TASK --out {study}` first")
        raise UnknownName("episode", path.name, known)
    return folder


def study_of(episode: Path) -> Path | None:
    """The study that an episode's folder lies in, where it lies in one."""
    above = episode.absolute().parent
    return above.parent if above.name == EPISODES else None
