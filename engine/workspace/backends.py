"""Which backend runs a study's code: by name, and never a weaker one than was asked for."""

from typing import Literal, get_args

import msgspec

from engine.errors import IsolationUnavailable, UnknownName
from engine.workspace.interface import Backend
from engine.workspace.process import Unisolated
from engine.workspace.sandbox import Sandbox

BackendName = Literal["sandbox", "process", "process-if-needed"]
"""``sandbox``: isolated, or refused. ``process``: no isolation, only for code that no model wrote.
``process-if-needed``: the first where it can be had, else the second, and the reason is to be printed."""


class ChosenBackend(msgspec.Struct, frozen=True):
    """A backend, and the reason in one line where it is not the isolated one that was wished for."""

    backend: Backend
    fallback_reason: str | None = None


async def make_backend(name: str) -> ChosenBackend:
    """The backend of that name, its self-test passed.

    Raises:
        UnknownName: when there is no such backend.
        IsolationUnavailable: for ``sandbox``, when required isolation is missing here.
    """
    if name not in get_args(BackendName):
        raise UnknownName("workspace backend", name, get_args(BackendName))
    if name == "process":
        return ChosenBackend(Unisolated())
    sandbox = Sandbox()
    try:
        await sandbox.require()
    except IsolationUnavailable as error:
        if name == "sandbox":
            raise
        return ChosenBackend(Unisolated(), f"running without isolation: {error}")
    return ChosenBackend(sandbox)
