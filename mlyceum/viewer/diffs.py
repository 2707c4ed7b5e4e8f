"""Code changes as coloured unified diffs."""

import difflib
from collections.abc import Iterator, Mapping

from rich.text import Text

from mlyceum.plain_text import plain
from mlyceum.reading import EpisodeView
from mlyceum.research_tree import ResearchNode
from mlyceum.viewer.words import diff_size

MOST_LINES = 400
"""Of one diff; the rest is counted."""


def diff_lines(diff: str) -> Iterator[Text]:
    """A unified diff, line by line, in the usual colours."""
    lines = plain(diff).splitlines()
    for line in lines[:MOST_LINES]:
        yield Text(line.expandtabs(4), style=_style(line), no_wrap=True)
    if len(lines) > MOST_LINES:
        yield Text(f"… {len(lines) - MOST_LINES} more lines; --json has them", style="dim")


def _style(line: str) -> str:
    if line.startswith(("+++", "---", "diff ")):
        return "bold"
    if line.startswith("@@"):
        return "cyan"
    return "green" if line.startswith("+") else "red" if line.startswith("-") else "default"


def node_diffs(node: ResearchNode) -> Iterator[Text]:
    """Every version of a node's code."""
    for version, patch in enumerate(node.patches, start=1):
        which = f", version {version}" if len(node.patches) > 1 else ""
        state = "checked" if patch.checked else "not checked"
        base = f" on {patch.base[:8]}"
        yield Text(
            f"#{node.id} {node.operator}{which}: {diff_size(patch.diff)}{base}, {state}",
            style="bold underline",
        )
        if patch.problem:
            yield Text(f"problem: {patch.problem}", style="red")
        if patch.artefact is not None and not patch.diff.strip():
            yield Text("(no change)", style="dim")
        yield from diff_lines(patch.diff)
        yield Text("")


def all_diffs(view: EpisodeView) -> Iterator[Text]:
    """The code of every node that has some."""
    for node in view.nodes:
        if node.patches:
            yield from node_diffs(node)


def files_diff(old: Mapping[str, bytes], new: Mapping[str, bytes], *, old_name: str, new_name: str) -> str:
    """One unified diff from some files to others; binary files by name only."""
    parts: list[str] = []
    for path in sorted({*old, *new}):
        before, after = old.get(path, b""), new.get(path, b"")
        if before == after:
            continue
        try:
            texts = before.decode().splitlines(), after.decode().splitlines()
        except UnicodeDecodeError:
            parts.append(f"binary file {path} differs")
            continue
        parts += difflib.unified_diff(*texts, f"{old_name}/{path}", f"{new_name}/{path}", lineterm="")
    return "\n".join(parts)
