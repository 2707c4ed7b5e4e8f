"""Tools on memory: keep a note, for oneself or for the team, and find notes and old exchanges by words."""

from typing import Annotated

import msgspec

from engine.member import Member
from engine.messages import NOTES, Note
from roles.model.memory import NOTE_CHARACTERS, Memory
from roles.model.tools.tool import AnyUse, Reaction, Use

RECALLED = 5


class Remember(msgspec.Struct, frozen=True, kw_only=True):
    """Keep a note."""

    text: str
    team: Annotated[bool, msgspec.Meta(description="Tell it to the whole team, too.")] = False


class Recall(msgspec.Struct, frozen=True, kw_only=True):
    """Find notes and old exchanges."""

    words: str


def remember_use(member: Member, memory: Memory, *, has_team: bool) -> AnyUse:
    """The tool ``remember``."""

    async def remember(asked: Remember) -> Reaction:
        text = asked.text.strip()
        if not text:
            return Reaction("There is nothing to remember.", is_wrong=True)
        if len(text) > NOTE_CHARACTERS:
            return Reaction(f"Not kept: at most {NOTE_CHARACTERS} characters a note.", is_wrong=True)
        if asked.team and has_team:
            await member.post(Note(text=text), topic=NOTES)
        memory.note(text, source="the team's notes" if asked.team and has_team else "your note")
        return Reaction("Noted.")

    whom = "; with `team`, the whole team hears it" if has_team else ""
    description = f"Keep a note that outlives this conversation's window{whom}."
    return Use("remember", description, Remember, remember)


def recall_use(memory: Memory) -> AnyUse:
    """The tool ``recall``."""

    async def recall(asked: Recall) -> Reaction:
        found = memory.recall(asked.words, most=RECALLED)
        return Reaction("\n\n".join(found) if found else "Nothing was remembered with these words.")

    description = "Find notes (yours and the team's) and what has left this conversation's window, by words."
    return Use("recall", description, Recall, recall)
