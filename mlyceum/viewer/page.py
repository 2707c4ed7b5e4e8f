"""The parts of an episode's page, put together and printed."""

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.errors import UnknownName
from mlyceum.reading import EpisodeView
from mlyceum.research_tree import ResearchNode
from mlyceum.viewer.decisions import decisions_table
from mlyceum.viewer.diffs import all_diffs, diff_lines, node_diffs
from mlyceum.viewer.header import header
from mlyceum.viewer.ladder import ladder_lines
from mlyceum.viewer.numbers import number
from mlyceum.viewer.scores import feedback_table, finals_table
from mlyceum.viewer.tree import predictions, research_tree, verdict_text
from mlyceum.viewer.words import evidence_text, point_text

Section: TypeAlias = Literal["tree", "scores", "decisions", "messages", "diffs"]
SECTIONS: tuple[Section, ...] = ("tree", "scores", "decisions", "messages", "diffs")
LAST_MESSAGES = 12
"""Shown where the messages were not asked for by name."""
WIDEST = 140


def show_page(
    view: EpisodeView, console: Console, *, sections: Sequence[Section], final_diff: str = ""
) -> None:
    """Print an episode.

    Args:
        view: with plain strings.
        console: where to.
        sections: the parts asked for; none: an overview of all.
        final_diff: from the starter to what was handed in, for the overview.
    """
    console.print(header(view))
    if not sections:
        _overview(view, console, final_diff)
    for section in sections:
        _section(view, console, section)


def _overview(view: EpisodeView, console: Console, final_diff: str) -> None:
    _section(view, console, "tree")
    _title(console, "Scores the team never saw")
    console.print(finals_table(view) if view.finals else Text("none yet", style="dim"))
    if view.messages:
        _title(console, "Messages (the last ones)")
        _lines(console, ladder_lines(view, _width(console), last=LAST_MESSAGES))
    if final_diff:
        _title(console, "What was handed in, against the starter")
        _lines(console, diff_lines(final_diff))
    console.print()
    console.print(
        Text("more: --messages, --tree, --diffs, --scores, --decisions, --node N, --json", style="dim")
    )


def _section(view: EpisodeView, console: Console, section: Section) -> None:
    match section:
        case "tree":
            _title(console, "Research tree (★ handed in, • stood for a time)")
            _table(console, research_tree(view, _width(console)))
            _predictions(console, predictions(view))
        case "scores":
            _title(console, "Feedback, as the team saw it")
            console.print(feedback_table(view) if view.feedback else Text("none yet", style="dim"))
            _title(console, "Scores the team never saw")
            console.print(finals_table(view) if view.finals else Text("none yet", style="dim"))
        case "decisions":
            _title(console, "Decisions")
            if view.decisions:
                _table(console, decisions_table(view))
            else:
                console.print(Text("none on record", style="dim"))
        case "messages":
            _title(console, "Messages and effects")
            _lines(console, ladder_lines(view, _width(console)))
        case "diffs":
            _title(console, "Code of each node, against what it was made from")
            _lines(console, all_diffs(view))


def _predictions(console: Console, table: Table) -> None:
    if table.row_count:
        _title(console, "Predicted and found")
        console.print(table)


def show_node(view: EpisodeView, console: Console, number_of_node: int) -> None:
    """Print one node in full.

    Raises:
        UnknownName: when the episode has no such node.
    """
    node = find_node(view, number_of_node)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _node_facts(node):
        table.add_row(name, value)
    console.print(table)
    _title(console, "Messages about it")
    _lines(console, ladder_lines(view, _width(console), node=number_of_node))
    if node.patches:
        _title(console, "Code")
        _lines(console, node_diffs(node))


def find_node(view: EpisodeView, number_of_node: int) -> ResearchNode:
    """A node by its number.

    Raises:
        UnknownName: when the episode has no such node.
    """
    for node in view.nodes:
        if node.id == number_of_node:
            return node
    raise UnknownName("node", str(number_of_node), [str(node.id) for node in view.nodes])


def _node_facts(node: ResearchNode) -> list[tuple[str, Text]]:
    parents = ", ".join(f"#{parent}" if parent else "the starter" for parent in node.parents) or "the starter"
    facts = [
        ("node", Text(f"#{node.id} {node.operator} of {parents}", style="bold")),
        ("verdict", verdict_text(node)),
    ]
    if node.hypothesis is not None:
        hypothesis = node.hypothesis
        facts += [
            ("claim", Text(hypothesis.claim)),
            ("author", Text(f"{node.author or 'not known'}, family {hypothesis.family}")),
            ("point", Text(point_text(hypothesis.point))),
            ("predicted", Text(number(hypothesis.predicted))),
        ]
    facts.append(("found", Text(evidence_text(node.evidence))))
    if node.evidence is not None:
        facts.append(("values", Text(", ".join(number(value) for value in node.evidence.values))))
    facts.append(("spent", Text(f"{node.evaluations} evaluations")))
    if node.failure:
        facts.append(("failure", Text(node.failure, style="red")))
    for review in node.reviews:
        why = "".join(f"\n  {each.kind}: {each.text}" for each in review.objections)
        text = f"{review.verdict}, confidence {review.confidence:.2f}, prediction {review.prediction}{why}"
        facts.append(("review", Text(text)))
    if node.artefact is not None:
        facts.append(("artefact", Text(node.artefact)))
    return facts


def _title(console: Console, title: str) -> None:
    console.print()
    console.print(Text(title, style="bold underline"))


def _table(console: Console, table: Table) -> None:
    console.print(table, width=_width(console))


def _lines(console: Console, lines: Iterable[Text]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True)


def _width(console: Console) -> int:
    return min(console.width, WIDEST)
