"""Which Python runs inside, and the environment variables that everything inside starts with."""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from engine.workspace.environment import Environment

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_THREAD_KNOBS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@cache
def base_interpreter() -> Path:
    """The interpreter that we run on, outside any virtual environment, links resolved."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


@cache
def base_prefix() -> Path | None:
    """The folder that the interpreter lives in, or None when that is the system's own ``/usr``."""
    prefix = Path(sys.base_prefix).resolve()
    return None if prefix.is_relative_to("/usr") or prefix == Path("/") else prefix


def interpreter(environment: Environment | None) -> Path:
    """The path of ``python`` for a workspace, the same inside and outside."""
    if environment is None or environment.prefix is None:
        return base_interpreter()
    return environment.prefix / "bin" / "python"


def inner_variables(first_on_path: str, home: str, extra: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of what runs inside: fixed, the same everywhere, nothing of the host's."""
    return {
        "PATH": f"{first_on_path}:{SYSTEM_PATH}",
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        # Else every run would leave __pycache__ folders among the files that are collected and hashed.
        "PYTHONDONTWRITEBYTECODE": "1",
        **dict.fromkeys(_THREAD_KNOBS, "1"),
        **extra,
    }
