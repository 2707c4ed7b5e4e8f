"""The two kinds of YAML files of a checkout that say what a task is; read with PyYAML's safe loader."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import msgspec

from engine.errors import BadSpecification, UserError

T = TypeVar("T", bound=msgspec.Struct)
LARGEST_BYTES = 1 << 20


class TaskConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """``configs/tasks/NAME.yaml``. Fields that are not ours to act on are passed over."""

    id: str
    name: str = ""
    description: str = ""
    task_entrypoint: str
    """Class of the submission: which artefact is looked for, and how the evaluator is called."""
    training_timeout: float | None = 3600.0
    """Seconds of one training command, and of one evaluation."""
    dataset_configs: tuple[str, ...] | None = ()
    """Relative to ``configs``."""
    starter_code: tuple[str, ...] | None = ()
    """Files and folders, relative to the checkout, that are copied into the workspace by their last name."""
    baseline_paths: tuple[str, ...] | None = ()
    baseline_scores: tuple[dict[str, float], ...] | None = ()
    evaluation_paths: tuple[str, ...] | None = ()
    evaluation_read_only: bool = False
    sample_submission: str | None = None
    use_generic_conda: bool = True
    requirements_path: str | None = None


class DatasetConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """``configs/datasets/NAME.yaml``."""

    name: str
    description: str = ""
    data_path: str
    """A folder of the checkout, or a data set's name on a hub."""
    is_local: bool = False


def read_yaml(path: Path, kind: type[T]) -> T:
    """A file's content as a value of ``kind``.

    Raises:
        UserError: PyYAML is not installed.
        BadSpecification: the file cannot be read, is no YAML, or lacks what it must have.
    """
    yaml = _yaml()
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BadSpecification(str(path), f"is larger than {LARGEST_BYTES} bytes; is it a configuration?")
        content: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadSpecification(str(path), f"cannot be read ({error}); is the checkout whole?") from error
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise BadSpecification(str(path), f"is not YAML: {said[:300]}") from error
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise BadSpecification(str(path), f"{error}; restore it from MLGym's repository") from error


def _yaml() -> ModuleType:
    try:
        return importlib.import_module("yaml")  # without stubs, and only here
    except ModuleNotFoundError as error:
        raise UserError(
            "a checkout's YAML files are read with PyYAML, which is missing; pip install 'mlyceum[mlgym]'"
        ) from error
