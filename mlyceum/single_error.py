"""Errors arrive as groups; a user is told one sentence."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

from engine.errors import EngineError


@contextmanager
def single_error() -> Generator[None]:
    """Let one error leave the block as itself, and several of one kind of ours as the first of them.

    Anything else leaves as the group that it is.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        found = leaves(group)
        first = found[0]
        if len(found) == 1 or (isinstance(first, EngineError) and all(type(e) is type(first) for e in found)):
            raise first from None
        raise


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The errors of a group and of the groups in it."""
    found: list[BaseException] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            found += leaves(cast("BaseExceptionGroup[BaseException]", error))
        else:
            found.append(error)
    return found
