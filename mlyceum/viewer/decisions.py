"""What was decided, by which rule, among which candidates."""

from rich.table import Table
from rich.text import Text

from mlyceum.plain_text import one_line
from mlyceum.reading import Decision, EpisodeView
from mlyceum.viewer.numbers import number

MOST_CANDIDATES = 4


def decisions_table(view: EpisodeView) -> Table:
    """A row for each decision, in the order of the record."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=True)
    for name in ("member", "decides"):
        table.add_column(name, no_wrap=True)
    for name in ("chosen", "rule", "among"):
        table.add_column(name, overflow="fold", ratio=1)
    for each in view.decisions:
        table.add_row(
            each.member,
            one_line(each.what, 12),
            Text(one_line(each.chosen, 120), style="bold"),
            one_line(each.rule),
            _candidates(each),
        )
    return table


def _candidates(decision: Decision) -> str:
    ranked = sorted(decision.candidates.items(), key=lambda pair: -pair[1])
    shown = [f"{one_line(name, 24)} {number(worth)}" for name, worth in ranked[:MOST_CANDIDATES]]
    more = len(ranked) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
