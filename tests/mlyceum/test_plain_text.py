"""Text that agents wrote, made fit for a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlyceum.plain_text import one_line, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words, ±0.1 → 1.44", "plain words, ±0.1 → 1.44"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r\x1b\\after", "after"),
        ("\x9b2Jcleared", "cleared"),
        ("a\rb\bc\x07", "abc"),
        ("one\r\ntwo\tthree\n", "one\ntwo\tthree\n"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("zero\u200bwidth", "zerowidth"),
    ],
)
def test_escape_sequences_go_whole_and_text_stays(text: str, expected: str) -> None:
    assert plain(text) == expected


@given(st.text())
def test_nothing_is_left_that_a_terminal_acts_on(text: str) -> None:
    left = set(plain(text)) - {"\n", "\t"}

    assert not {c for c in left if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert plain(plain(text)) == plain(text)


@given(st.text(), st.integers(1, 40))
def test_one_line_is_one_line_of_at_most_its_width(text: str, width: int) -> None:
    line = one_line(text, width)

    assert len(line) <= width
    assert "\n" not in line
