"""The scores of an episode: each feedback evaluation, what stood, the finals."""

from rich.table import Table
from rich.text import Text

from mlyceum.reading import EpisodeView, FeedbackScore
from mlyceum.viewer.numbers import number, score_text

BARS = 16


def feedback_table(view: EpisodeView) -> Table:
    """A row for each feedback evaluation, with a bar between the worst and the best of them."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("#", "node", "artefact", "score", "best so far"):
        table.add_column(name, justify="left" if name == "artefact" else "right", no_wrap=True)
    table.add_column("", no_wrap=True)
    values = [each.score.value for each in view.feedback if each.score.value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 0.0)
    best: float | None = None
    for each in view.feedback:
        better = _best(best, each.score.value, view)
        nodes = f"#{each.nodes[0]}" if each.nodes and each.nodes[0] else "starter"
        nodes += f" +{len(each.nodes) - 1}" if len(each.nodes) > 1 else ""
        style = "bold green" if better != best else "default"
        best = better
        table.add_row(
            str(each.evaluation),
            nodes,
            each.artefact[:8],
            _value(each),
            number(best),
            _bar(each, low, high),
            style=style,
        )
    return table


def _best(best: float | None, value: float | None, view: EpisodeView) -> float | None:
    if value is None or best is None:
        return best if value is None else value
    return min(best, value) if view.brief is not None and view.brief.direction == "min" else max(best, value)


def _value(each: FeedbackScore) -> Text:
    return Text(score_text(each.score), style="red" if each.score.value is None else "")


def _bar(each: FeedbackScore, low: float, high: float) -> str:
    if each.score.value is None or high <= low:
        return ""
    return "▪" * max(1, round(BARS * (each.score.value - low) / (high - low)))


def finals_table(view: EpisodeView) -> Table:
    """What the team never saw: the artefact handed in, and the one with the best single feedback score."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("split", "artefact", "which", "score"):
        table.add_column(name, no_wrap=name != "score")
    handed_in = _handed_in(view)
    for each in view.finals:
        which = "handed in" if each.artefact == handed_in else "best feedback"
        table.add_row(each.split, each.artefact[:8], which, score_text(each.score))
        for finding in each.score.findings:
            style = "dim" if finding.advisory else "yellow"
            kind = f"{finding.kind}{' (advisory)' if finding.advisory else ''}"
            table.add_row("", "", Text(kind, style=style), Text(finding.detail, style=style))
    return table


def _handed_in(view: EpisodeView) -> str | None:
    if view.result is not None:
        return view.result.selected
    return next((each.artefact for each in view.finals if each.split == "final"), None)
