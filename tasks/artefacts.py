"""What may be handed in: rules for artefacts in the store, and careful reading of a folder that a user names.

Two borders, two answers. What a *team* hands in is refused by a `Score` without value (`refusal`). What a *user*
names on the command line is refused by an `ArtefactUnusable`, one sentence, before anything of it is read.
"""

import os
import stat
from pathlib import Path

from engine.errors import UserError
from engine.task import Files
from tasks.package import ArtefactRules


class ArtefactUnusable(UserError):
    """Raised when what a user names as an artefact cannot be one; the sentence says why."""


def refusal(files: Files, rules: ArtefactRules) -> str:
    """Why these files are not what the task needs, in one sentence; empty when they are."""
    if len(files) > rules.most_files:
        return f"the artefact has {len(files)} files, at most {rules.most_files} are allowed"
    for path in sorted(files):
        if len(files[path]) > rules.largest_file_bytes:
            return f"{path} has {len(files[path])} bytes, at most {rules.largest_file_bytes} are allowed"
    if (total := sum(map(len, files.values()))) > rules.most_bytes:
        return f"the artefact has {total} bytes, at most {rules.most_bytes} are allowed"
    return next((why for path in rules.required if (why := _text_fault(path, files.get(path)))), "")


def _text_fault(path: str, content: bytes | None) -> str:
    if content is None:
        return f"{path} is missing"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"{path} is not UTF-8 text"
    return f"{path} is binary: it holds a zero byte" if "\0" in text else ""


def artefact_from_path(path: Path, rules: ArtefactRules) -> dict[str, bytes]:
    """The files of a folder (or of one file, taken for the first required one), checked before they are read.

    Nothing is followed: a symbolic link anywhere is refused. Sizes are looked at first, so a huge or sparse file is
    refused at once. Hidden folders and caches are left out.

    Raises:
        ArtefactUnusable: one sentence with the path and what is wrong with it.
    """
    kind = _kind(path)
    if kind == "folder":
        found = {place.relative_to(path).as_posix(): place for place in _walk(path, rules)}
    elif kind == "file":
        found = {rules.required[0]: path}
    else:
        raise ArtefactUnusable(f"{path} {kind}; name the artefact's folder, or its file {rules.required[0]}")
    for name in rules.required:
        if name not in found:
            hint = " (a folder stands in its place)" if (path / name).is_dir() else ""
            raise ArtefactUnusable(f"{path} has no file {name}{hint}; name the folder that holds it")
    total = 0
    for place in found.values():
        total += _check_file(place, rules)
    if total > rules.most_bytes:
        raise ArtefactUnusable(
            f"{path} holds {total} bytes, at most {rules.most_bytes} are allowed; hand in less"
        )
    files = {name: _read(place, rules) for name, place in sorted(found.items())}
    if why := refusal(files, rules):
        raise ArtefactUnusable(f"{path}: {why}; hand in plain source text")
    return files


def _kind(path: Path) -> str:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be looked at ({error.strerror or error})"
    except ValueError:
        return "is not a path"
    names = {
        stat.S_IFREG: "file",
        stat.S_IFDIR: "folder",
        stat.S_IFLNK: "is a symbolic link",
        stat.S_IFCHR: "is a device",
        stat.S_IFBLK: "is a device",
        stat.S_IFIFO: "is a pipe",
        stat.S_IFSOCK: "is a socket",
    }
    return names.get(stat.S_IFMT(mode), "is no plain file")


def _walk(folder: Path, rules: ArtefactRules) -> list[Path]:
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(here.iterdir())
        except OSError as error:
            raise ArtefactUnusable(
                f"{here} cannot be listed ({error.strerror or error}); check its permissions"
            ) from error
        for entry in entries:
            if _kind(entry) != "folder":
                found.append(entry)
            elif not entry.name.startswith(".") and entry.name != "__pycache__":
                waiting.append(entry)
        if len(found) + len(waiting) > rules.most_files:
            raise ArtefactUnusable(
                f"{folder} holds more than {rules.most_files} files; name the artefact's own folder"
            )
    return found


def _check_file(place: Path, rules: ArtefactRules) -> int:
    kind = _kind(place)
    if kind != "file":
        raise ArtefactUnusable(f"{place} {kind}; an artefact holds plain files only")
    size = place.lstat().st_size
    if size > rules.largest_file_bytes:
        raise ArtefactUnusable(
            f"{place} has {size} bytes, at most {rules.largest_file_bytes} are allowed; hand in less"
        )
    return size


def _read(place: Path, rules: ArtefactRules) -> bytes:
    # What was checked by name may have been swapped since: no link is followed, nothing blocks, no more is read.
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ArtefactUnusable(f"{place} is no plain file; an artefact holds plain files only")
            return file.read(rules.largest_file_bytes + 1)
    except OSError as error:
        raise ArtefactUnusable(
            f"{place} cannot be read ({error.strerror or error}); check its permissions"
        ) from error
