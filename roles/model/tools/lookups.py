"""Tools that look around: what there is to compute with and to spend, and what has been published."""

from typing import Annotated

import msgspec

from engine.budget import Axis
from engine.effects import Paper
from engine.errors import BudgetExceeded
from engine.member import EffectFailed, Member
from roles.model.tools.tool import AnyUse, Reaction, Use, shorten

MOST_PAPERS = 8
ABSTRACT_CHARACTERS = 700

_NAMES: dict[Axis, str] = {
    "evaluations": "evaluations",
    "tokens": "tokens",
    "cost_usd": "US dollars",
    "steps": "steps (model answers, runs and evaluations)",
    "device_seconds": "device seconds",
    "wall_seconds": "seconds of wall time",
}


class StatusOf(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing is asked for."""


class Literature(msgspec.Struct, frozen=True, kw_only=True):
    """Look for published papers."""

    query: str
    most: Annotated[int, msgspec.Meta(ge=1, le=MOST_PAPERS)] = 5


def status_use(member: Member) -> AnyUse:
    """The tool ``status``."""

    async def status(_: StatusOf) -> Reaction:
        known = await member.status()
        lines = [
            f"- {each.count} x {each.name}"
            + (f", {each.memory_bytes >> 20} MiB for one command" if each.memory_bytes else "")
            for each in known.devices
        ]
        left = [f"- {known.left[axis]:g} {name}" for axis, name in _NAMES.items() if axis in known.left]
        spent = "\n".join(left) or "- no cap is known"
        return Reaction("Commands may use:\n" + "\n".join(lines) + f"\nLeft for the whole team:\n{spent}")

    description = "What commands may compute on, and what is left of the team's budget."
    return Use("status", description, StatusOf, status)


def literature_use(member: Member) -> AnyUse:
    """The tool ``literature``."""

    async def look(asked: Literature) -> Reaction:
        query = " ".join(asked.query.split())
        if not query:
            return Reaction("Say what to look for.", is_wrong=True)
        try:
            papers = await member.look_up(query[:300], most=asked.most)
        except (BudgetExceeded, EffectFailed) as error:
            return Reaction(f"Not looked up: {error}", is_wrong=True)
        return Reaction("\n\n".join(map(_described, papers)) or "No paper was found.")

    description = "Look for published papers by a few technical words; titles and abstracts come back."
    return Use("literature", description, Literature, look)


def _described(paper: Paper) -> str:
    year = "" if paper.year is None else f" ({paper.year})"
    authors = f"{', '.join(paper.authors)}. " if paper.authors else ""
    return f"{authors}{paper.title}{year}, cited {paper.citations} times\n{shorten(paper.abstract, ABSTRACT_CHARACTERS)}"
