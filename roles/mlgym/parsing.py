"""From an answer in free text to a thought and one action.

The rule is MLGym's default: one fenced block is the action, everything around it the thought. A fence is a line that
begins with three backticks, a language tag behind them at most. While a block is open, a bare fence closes it and one
with a tag opens another within; a fence that is never closed makes no block.
"""

import re
from typing import Literal, TypeAlias

import msgspec

FormatProblem: TypeAlias = Literal["no block", "several blocks"]
_FENCE = re.compile(r"^```(\S*)[^\S\n]*$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)*")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says: why, and what to do."""

    thought: str
    action: str
    """The block's lines, each with its end of line."""


class FormatError(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that names no single action."""

    problem: FormatProblem


class _Block(msgspec.Struct, frozen=True):
    """Where a block stands: opening fence, content, closing fence with the blank lines behind it."""

    begin: int
    content: int
    content_end: int
    end: int


def parse_answer(text: str) -> Answer | FormatError:
    """The one thought and action of an answer, or what is wrong with its form."""
    blocks = _top_level_blocks(text)
    if len(blocks) != 1:
        return FormatError(problem="several blocks" if blocks else "no block")
    block = blocks[0]
    return Answer(
        thought=text[: block.begin] + text[block.end :], action=text[block.content : block.content_end]
    )


def _top_level_blocks(text: str) -> list[_Block]:
    blocks: list[_Block] = []
    open_fences: list[re.Match[str]] = []
    for fence in _FENCE.finditer(text):
        if fence[1] or not open_fences:
            open_fences.append(fence)
            continue
        opening = open_fences.pop()
        if not open_fences:
            blank = _BLANK_LINES.match(text, fence.end())
            blocks.append(
                _Block(
                    opening.start(),
                    min(opening.end() + 1, fence.start()),
                    fence.start(),
                    blank.end() if blank else fence.end(),
                )
            )
    return blocks
