"""A checkout of MLGym: which tasks its ``configs/tasks`` describes, and the files each is made of."""

import os
import stat
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from engine.errors import BadSpecification, UnknownName, UserError
from tasks.mlgym_folder.configuration import DatasetConfiguration, TaskConfiguration, read_yaml

ROOT_VARIABLE: Final = "MLYCEUM_MLGYM"
"""Environment variable that says where the checkout is."""
LARGEST_STARTER_BYTES: Final = 32 << 20
LARGEST_DATA_BYTES: Final = 512 << 20


class Checkout:
    """One folder with MLGym's ``configs`` and ``data``. Made by `open_checkout`.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def configurations(self) -> dict[str, Path]:
        """Name of each task's configuration file, without its ending, to the file."""
        return {path.stem: path for path in sorted((self.root / "configs" / "tasks").glob("*.yaml"))}

    @cached_property
    def _by_id(self) -> dict[str, str]:
        """MLGym's ids to names; where several files declare one id, the file that is called like it."""
        found: dict[str, str] = {}
        for name in self.configurations:
            declared = self.task(name).id
            if declared == name or declared not in found:
                found[declared] = name
        return found

    def knows(self, name: str) -> bool:
        """Whether a name is one of a task here, or its id."""
        return name in self.configurations or name in self._by_id

    def name_of(self, name: str) -> str:
        """The name of the configuration file behind a name or an id.

        Raises:
            UnknownName: there is none.
        """
        if name in self.configurations:
            return name
        if name in self._by_id:
            return self._by_id[name]
        raise UnknownName(f"task in {self.root}", name, self.configurations)

    def task(self, name: str) -> TaskConfiguration:
        """What a configuration file says.

        Raises:
            BadSpecification: it does not say what it must.
        """
        return read_yaml(self.configurations[name], TaskConfiguration)

    def datasets(self, task: TaskConfiguration) -> tuple[DatasetConfiguration, ...]:
        """The data sets that a task names.

        Raises:
            BadSpecification: a file is missing or does not say what it must.
        """
        folder = self.root / "configs"
        return tuple(
            read_yaml(self._inside(folder / path), DatasetConfiguration)
            for path in task.dataset_configs or ()
        )

    def starter_files(self, task: TaskConfiguration) -> dict[str, bytes]:
        """What is copied into a workspace, by the path there: a file or folder goes by its last name.

        Raises:
            BadSpecification: something named is missing, lies outside the checkout, or is too much.
        """
        named = [*(task.starter_code or ()), *([task.sample_submission] if task.sample_submission else [])]
        files: dict[str, bytes] = {}
        for path in named:
            files.update(self._copied(self.root / path, limit_bytes=LARGEST_STARTER_BYTES))
        return files

    def has(self, path: str) -> bool:
        """Whether a file or folder of the checkout is there."""
        return (self.root / path).exists()

    def data_files(self, dataset: DatasetConfiguration) -> dict[str, bytes]:
        """The files of a local data set, below the last name of its folder.

        Raises:
            BadSpecification: it is missing, lies outside the checkout, or is too much.
        """
        return self._copied(self.root / dataset.data_path, limit_bytes=LARGEST_DATA_BYTES)

    def _copied(self, place: Path, *, limit_bytes: int) -> dict[str, bytes]:
        place = self._inside(place)
        if place.is_file():
            sources = {place.name: place}
        elif place.is_dir():
            sources = {f"{place.name}/{path.relative_to(place).as_posix()}": path for path in _plain(place)}
        else:
            raise BadSpecification(str(place), "is not in the checkout; restore it from MLGym's repository")
        if (total := sum(path.stat().st_size for path in sources.values())) > limit_bytes:
            raise BadSpecification(str(place), f"has {total} bytes, more than {limit_bytes}; leave some out")
        return {name: path.read_bytes() for name, path in sources.items()}

    def _inside(self, place: Path) -> Path:
        # A configuration is data: it may not name files of the user's that the checkout does not hold.
        if not place.resolve().is_relative_to(self.root):
            raise BadSpecification(str(place), f"lies outside the checkout {self.root}")
        return place


def _plain(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if "__pycache__" not in path.parts and stat.S_ISREG(path.lstat().st_mode):
            yield path


def open_checkout(root: Path | None = None) -> Checkout:
    """The checkout in a folder; None: where ``MLYCEUM_MLGYM`` says.

    Raises:
        UserError: none is named, or what is named is none.
    """
    if root is None:
        named = os.environ.get(ROOT_VARIABLE, "")
        if not named:
            raise UserError(
                f"this task comes from a checkout of MLGym; say where it is with --mlgym-root or {ROOT_VARIABLE}"
            )
        root = Path(named)
    return _opened(root.absolute().resolve())


@lru_cache(maxsize=8)
def _opened(root: Path) -> Checkout:
    if not (root / "configs" / "tasks").is_dir():
        raise UserError(
            f"{root} is no checkout of MLGym: it has no folder configs/tasks; "
            "git clone https://github.com/facebookresearch/MLGym, and name that folder"
        )
    return Checkout(root)
