"""Messages as a ladder: a column for each member, an arrow for each message, what it says at the right.

::

     seq  strat  hypot  coder
       2    ├──────▶      │     IdeaRequest #1 draft
       3    ◀──────┤      │     Hypothesis #1 predicts 1.4400: never meet elsewhere
"""

from collections.abc import Iterator, Sequence

from rich.text import Text

from engine.bus import RUNTIME
from engine.effects import ClockReading
from engine.messages import (
    Dropped,
    Expired,
    Failed,
    Hypothesis,
    MemberId,
    Patch,
    Review,
    RunResult,
    Selection,
)
from mlyceum.plain_text import one_line
from mlyceum.reading import Act, EpisodeView, Sent
from mlyceum.viewer.words import effect_text, message_text

NARROWEST_TEXT = 36
"""Columns that are left for what a message says."""
NARROWEST_LANE = 6
GUTTER = 6
_ANSWERS = (Hypothesis, Patch, RunResult, Review)
_TROUBLE = (Dropped, Expired, Failed)


class Ladder:
    """The lanes of an episode on so many columns.

    Args:
        members: in the order of their lanes.
        width: of the terminal.
    """

    def __init__(self, members: Sequence[MemberId], width: int) -> None:
        self.members = tuple(members)
        longest = max((len(member) for member in members), default=0) + 2
        room = (width - GUTTER - NARROWEST_TEXT) // max(1, len(members))
        self.lane = max(NARROWEST_LANE, min(longest, room))
        self.text_width = max(NARROWEST_TEXT // 2, width - GUTTER - self.lane * len(members) - 1)

    @property
    def is_cut(self) -> bool:
        """Whether a member's name does not fit its lane."""
        return any(len(member) >= self.lane for member in self.members)

    def heads(self) -> Text:
        """The line with the members' names."""
        names = "".join(f"{member[: self.lane - 1]:^{self.lane}}" for member in self.members)
        return Text(f"{'seq':>{GUTTER - 1}} {names}".rstrip(), style="bold")

    def message(self, sent: Sent) -> Text:
        """The line of a message."""
        line = self._lifelines()
        start = self._place(sent.sender)
        ends = (
            [sent.receiver]
            if sent.receiver is not None
            else [m for m in self.members if sent.to is None and m != sent.sender]
        )
        for end in ends:
            self._arrow(line, start, self._place(end), open_end=sent.receiver is None)
        if not ends and start >= 0:
            line[start] = "╾"
        said = message_text(sent.body) + (
            f" → {sent.to}" if sent.to is not None and sent.receiver is None else ""
        )
        return self._line(str(sent.seq), "".join(line), said, _style(sent))

    def act(self, act: Act) -> Text:
        """The line of an effect."""
        line = self._lifelines()
        place = self._place(act.member)
        if place >= 0:
            line[place] = "●"
        said = effect_text(act.effect, act.outcome)
        return self._line("", "".join(line), said if place >= 0 else f"{act.member} {said}", "dim")

    def _line(self, seq: str, lanes: str, said: str, style: str) -> Text:
        return Text.assemble(
            (f"{seq:>{GUTTER - 1}} ", "dim"), (lanes, style), " ", (one_line(said, self.text_width), style)
        )

    def _lifelines(self) -> list[str]:
        line = [" "] * (self.lane * len(self.members))
        for member in self.members:
            line[self._place(member)] = "│"
        return line

    def _place(self, member: MemberId) -> int:
        """Column of a member's lifeline; -1, the left edge, for who has no lane (the runtime)."""
        return self.members.index(member) * self.lane + self.lane // 2 if member in self.members else -1

    def _arrow(self, line: list[str], start: int, end: int, *, open_end: bool) -> None:
        if start == end:
            line[start] = "↺"
            return
        right = end > start
        low, high = (start + 1, end) if right else (end + 1, start)
        for column in range(low, high):
            if line[column] not in "▷◁":
                line[column] = "─"
        if start >= 0:
            line[start] = "├" if line[start] in "│├" and right else "┤" if line[start] in "│┤" else "┼"
        if end >= 0:
            line[end] = ("▷" if right else "◁") if open_end else ("▶" if right else "◀")


def _style(sent: Sent) -> str:
    if isinstance(sent.body, Selection):
        return "bold yellow"
    if isinstance(sent.body, _TROUBLE):
        return "red"
    return "green" if isinstance(sent.body, _ANSWERS) else "cyan" if sent.receiver is not None else "default"


def _order(entry: Sent | Act) -> int:
    return entry.order


def lanes(view: EpisodeView) -> tuple[MemberId, ...]:
    """The members that said or took something, by first appearance; the runtime has no lane."""
    seen: dict[MemberId, None] = {}
    for sent in view.messages:
        for member in (sent.sender, sent.receiver):
            if member is not None and member != RUNTIME:
                seen[member] = None
    return tuple(seen)


def ladder_lines(
    view: EpisodeView, width: int, *, last: int | None = None, node: int | None = None
) -> Iterator[Text]:
    """The ladder line by line.

    Args:
        view: the episode.
        width: of the terminal, in columns.
        last: how many messages from the end; None: all.
        node: only messages about this node.
    """
    members = lanes(view)
    ladder = Ladder(members, width)
    messages = [sent for sent in view.messages if node is None or getattr(sent.body, "node", None) == node]
    shown = messages if last is None else messages[-last:]
    first = shown[0].order if shown else 0
    acts = [act for act in view.effects if not isinstance(act.effect, ClockReading) and act.order > first]
    if node is not None:
        acts = []
    yield ladder.heads()
    if len(shown) < len(messages):
        yield Text(
            f"{'…':>{GUTTER - 1}} {len(messages) - len(shown)} earlier messages: --messages", style="dim"
        )
    entries: list[Sent | Act] = [*shown, *acts]
    for entry in sorted(entries, key=_order):
        yield ladder.message(entry) if isinstance(entry, Sent) else ladder.act(entry)
    if ladder.is_cut:
        yield Text(f"{'':{GUTTER}}{', '.join(members)}", style="dim")
