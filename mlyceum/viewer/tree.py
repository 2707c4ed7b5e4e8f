"""The research tree, indented: operator, what was found beside what was predicted, the verdict, the claim."""

from collections.abc import Iterator, Mapping

from rich.table import Table
from rich.text import Text

from engine.messages import NodeId
from mlyceum.plain_text import one_line
from mlyceum.reading import EpisodeView
from mlyceum.research_tree import ResearchNode, children
from mlyceum.viewer.numbers import number, with_error
from mlyceum.viewer.words import evidence_text

DEEPEST = 10
"""Levels that are indented; what lies deeper stays at this indent, so that a long chain fits a narrow terminal."""
STYLES = {
    "accepted": "green",
    "rejected": "red",
    "failed": "red",
    "revise": "yellow",
    "measured": "cyan",
}


ROOMY = 100
"""Columns from which what was predicted stands in the tree too."""


def research_tree(view: EpisodeView, width: int) -> Table:
    """A row for each node; the starter is the root.

    Args:
        view: the episode.
        width: of the terminal, in columns.
    """
    roomy = width >= ROOMY
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", expand=True)
    table.add_column("tree", no_wrap=True)
    table.add_column("found", justify="right", no_wrap=True)
    if roomy:
        table.add_column("predicted", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("claim", no_wrap=True, ratio=1, overflow="ellipsis")
    table.add_row(Text("starter"), _starter_score(view), *([""] if roomy else []), _starter_mark(view), "")
    below = children(view.nodes)
    for guide, node in _walk(NodeId(0), below, prefix="", depth=0):
        table.add_row(
            Text.assemble((guide, "dim"), f"#{node.id} {node.operator}{_others(node)}"),
            found_text(node),
            *([number(node.hypothesis.predicted) if node.hypothesis is not None else "-"] if roomy else []),
            verdict_text(node),
            claim_text(node),
        )
    return table


def _starter_score(view: EpisodeView) -> Text:
    own = next((node for node in view.nodes if node.id == 0 and node.evidence is not None), None)
    if own is not None:
        return found_text(own)
    return Text(number(view.brief.baseline) if view.brief is not None else "-")


def _starter_mark(view: EpisodeView) -> Text:
    own = next((node for node in view.nodes if node.id == 0), None)
    return Text("baseline" if own is None or not own.handed_in else "★ handed in")


def _walk(
    node: NodeId, below: Mapping[NodeId, tuple[ResearchNode, ...]], *, prefix: str, depth: int
) -> Iterator[tuple[str, ResearchNode]]:
    """Each node below, with the guide to draw before it; depth first, without recursion limits in practice."""
    waiting = [(prefix, depth, list(below.get(node, ())))]
    while waiting:
        prefix, depth, rest = waiting[-1]
        if not rest:
            waiting.pop()
            continue
        current = rest.pop(0)
        last = not rest
        flat = depth >= DEEPEST
        yield f"{prefix}{'↳ ' if flat else '└ ' if last else '├ '}", current
        deeper = prefix if flat else f"{prefix}{'  ' if last else '│ '}"
        waiting.append((deeper, depth + 1, list(below.get(current.id, ()))))


def _others(node: ResearchNode) -> str:
    more = node.parents[1:]
    return f" with {', '.join(f'#{parent}' for parent in more)}" if more else ""


def found_text(node: ResearchNode) -> Text:
    """What feedback said of a node; against the prediction it was green or red already in the verdict."""
    if node.evidence is None:
        return Text("-", style="dim")
    return Text(evidence_text(node.evidence))


def verdict_text(node: ResearchNode) -> Text:
    """How far a node came; a star where it is what was handed in, a dot where it stood for a time."""
    mark = "★ " if node.handed_in else "• " if node.stood else "  "
    return Text(
        f"{mark}{node.status}",
        style=f"bold {STYLES.get(node.status, '')}" if mark != "  " else STYLES.get(node.status, "dim"),
    )


def claim_text(node: ResearchNode) -> Text:
    """The claim, or why the node failed."""
    if node.failure:
        return Text(one_line(node.failure), style="red")
    return Text(one_line(node.hypothesis.claim) if node.hypothesis is not None else "", style="default")


def predictions(view: EpisodeView) -> Table:
    """Hypotheses one by one: what was predicted, what was found, and how far off that is in standard errors."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("node", "predicted", "found", "off by"):
        table.add_column(name, justify="right", no_wrap=True)
    for node in view.nodes:
        predicted = node.hypothesis.predicted if node.hypothesis is not None else None
        if predicted is None or node.evidence is None:
            continue
        evidence = node.evidence
        error = evidence.standard_error
        gap = evidence.mean - predicted
        off = f"{gap / error:+.1f} SE" if error > 0 else f"{gap:+.4g}"
        table.add_row(f"#{node.id}", number(predicted), with_error(evidence.mean, error), off)
    return table
