"""Commands that are off unless a team asks for them: a memory of texts, and a look into published papers."""

import shlex

from engine.errors import BudgetExceeded
from engine.member import EffectFailed, Member
from roles.model.memory import Memory

MOST_PAPERS = 20
RECALLED = 2
"""Texts that a reading of the memory gives."""


class Extras:
    """Does what the shell cannot: both work outside of the workspace.

    Args:
        member: whose.
        has_memory: whether it has a memory. It lasts for the episode and is searched by words: MLGym's outlives its
            runs and compares embeddings of a model, which nobody here has to have.
    """

    def __init__(self, member: Member, *, has_memory: bool) -> None:
        self._member = member
        self._memory = Memory() if has_memory else None
        self._has_literature = "literature" in member.spec.allow

    def described(self) -> str:
        """What the model is told of them; lines of a list."""
        lines: list[str] = []
        if self._memory is not None:
            lines.append(
                "- `memory_write <text>`: keep a text for later; `memory_read <query>`: find it again."
            )
        if self._has_literature:
            lines.append(
                "- `literature_search <search_term> [<num_results>]`: published papers on something."
            )
        return "\n".join([*lines, ""]) if lines else ""

    async def act(self, action: str) -> str | None:
        """What an action printed that is one of these commands; None where it is none."""
        name, _, rest = action.strip().partition(" ")
        if self._memory is not None and name == "memory_write":
            self._memory.note(_plain(rest), source="memory")
            return "Kept."
        if self._memory is not None and name == "memory_read":
            found = self._memory.recall(_plain(rest), most=RECALLED)
            return "\n".join(found) or "Nothing that is kept has any of these words."
        if self._has_literature and name == "literature_search":
            return await self._search(rest)
        return None

    async def _search(self, rest: str) -> str:
        words = _words(rest)
        most = int(words.pop()) if len(words) > 1 and words[-1].isdigit() else MOST_PAPERS
        if not words:
            return "Usage: literature_search <search_term> [<num_results>]"
        try:
            papers = await self._member.look_up(" ".join(words), most=max(1, min(most, MOST_PAPERS)))
        except (BudgetExceeded, EffectFailed) as error:
            return f"Nothing was looked up: {error}"
        lines = [
            f"{paper.title} ({paper.year or 'n.d.'}; {paper.identifier})\n{paper.abstract}"
            for paper in papers
        ]
        return "\n".join(lines) or "No paper was found."


def _plain(text: str) -> str:
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
