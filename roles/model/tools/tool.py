"""A tool: what a model is told of it, how its arguments are read, and what it answers."""

from collections.abc import Awaitable, Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from engine.models.interface import Tool

QUOTED_CHARACTERS = 300

Arguments = TypeVar("Arguments", bound=msgspec.Struct)


class Reaction(NamedTuple):
    """What a tool answers."""

    text: str
    is_last: bool = False
    """Whether the request is fulfilled by this call."""
    is_wrong: bool = False
    """Whether the call could not be done as asked."""


class AnyUse(Protocol):
    """A tool, whatever its arguments are."""

    @property
    def tool(self) -> Tool:
        """What the model is told of it."""
        ...

    async def call(self, raw: str) -> Reaction:
        """Do what a model asked for in its own words."""
        ...


class Use(Generic[Arguments]):
    """A tool and what calling it does.

    Args:
        name: as the model calls it.
        description: what it does and when to use it; models read it.
        arguments: what it is called with; the schema that the model sees and the check of its answer.
        act: does it.
    """

    def __init__(
        self,
        name: str,
        description: str,
        arguments: type[Arguments],
        act: Callable[[Arguments], Awaitable[Reaction]],
    ) -> None:
        self.tool = Tool.from_struct(arguments, name=name, description=description)
        self._arguments, self._act = arguments, act

    async def call(self, raw: str) -> Reaction:
        """Do what a model asked for, if its arguments can be understood; else quote what is wrong with them."""
        try:
            arguments = _read(raw, self._arguments)
        except (
            ValueError,
            RecursionError,
        ) as error:  # a `DecodeError` is a ValueError, and so is a bad encoding
            return Reaction(
                f"The arguments of {self.tool.name} are not valid: {error}. You sent: {shorten(raw, QUOTED_CHARACTERS)}",
                is_wrong=True,
            )
        return await self._act(arguments)


def _read(raw: str, kind: type[Arguments]) -> Arguments:
    """Arguments as their type, or nearly so: models write numbers as text, and objects as text of objects."""
    text = raw.strip() or "{}"
    if text.startswith('"'):
        text = msgspec.json.decode(text, type=str)
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        try:
            return msgspec.json.decode(text, type=kind, strict=False)
        except msgspec.ValidationError:
            raise error from None


def shorten(text: str, characters: int) -> str:
    """A text's beginning and end, within so many characters."""
    if len(text) <= characters:
        return text
    half = max(1, (characters - 20) // 2)
    return f"{text[:half]}\n… (cut) …\n{text[-half:]}"
