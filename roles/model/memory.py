"""What a member remembers beside its conversation: notes, the team's notes, and what has left the window."""

import math
import re
from collections import Counter

import msgspec

NOTE_CHARACTERS = 2_000
ENTRY_CHARACTERS = 3_000
MOST_ENTRIES = 2_000
"""After which the oldest of what has left the window are let go."""
NEWS_CHARACTERS = 3_000

_WORD = re.compile(r"\w+")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing remembered."""

    source: str
    text: str


class Memory:
    """Entries in the order in which they came; found again by words. Deterministic: no draw, no clock."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._words: list[Counter[str]] = []
        self._news: list[str] = []

    def note(self, text: str, *, source: str) -> None:
        """Keep something; said twice, it is kept once."""
        entry = Entry(source=source, text=text[:ENTRY_CHARACTERS])
        if entry in self._entries[-200:]:
            return
        self._entries.append(entry)
        self._words.append(Counter(words_of(entry.text)))
        if len(self._entries) > MOST_ENTRIES:
            del self._entries[0], self._words[0]

    def hear(self, text: str) -> None:
        """Keep a note of the team, and tell of it at the next request."""
        self.note(text, source="the team's notes")
        self._news.append(text)

    def news(self) -> str:
        """What the team has noted since this was last asked, bounded."""
        said = "\n".join(f"- {text}" for text in self._news)
        self._news.clear()
        return (
            said if len(said) <= NEWS_CHARACTERS else said[:NEWS_CHARACTERS] + "\n… (`recall` finds the rest)"
        )

    def recall(self, words: str, *, most: int) -> list[str]:
        """The entries that share the rarest words with some, best first; the later one where two are equal.

        Words weigh by how few entries have them (inverse document frequency, Spärck Jones 1972), and count less the
        more often an entry repeats them.
        """
        wanted = dict.fromkeys(words_of(words))
        total = len(self._entries)
        weights = {
            word: math.log(1 + total / (1 + sum(word in known for known in self._words))) for word in wanted
        }
        scores = [
            sum(weight * (1 + math.log(known[word])) for word, weight in weights.items() if known[word])
            for known in self._words
        ]
        order = sorted(range(total), key=lambda place: (-scores[place], -place))
        return [
            f"[{self._entries[place].source}] {self._entries[place].text}"
            for place in order[:most]
            if scores[place] > 0
        ]


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return [word for word in _WORD.findall(text.casefold()) if len(word) > 1]
