"""Text of unknown origin in a report: it is shown, and does nothing."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.report.plain import LONGEST, for_html, for_markdown, for_sheet, visible


def test_what_turns_text_around_is_written_out() -> None:
    assert visible("safe\u202egnp.exe") == "safe⟨U+202E⟩gnp.exe"


def test_controls_and_line_ends_do_not_act() -> None:
    assert visible("a\x1b[31mb\r\nc\x00") == "a⟨U+001B⟩[31mb  c⟨U+0000⟩"


def test_marks_do_not_climb_over_other_lines() -> None:
    assert visible("é" + "\u0301" * 50).count("\u0301") <= 3


def test_a_long_text_is_cut_and_says_so() -> None:
    assert visible("x" * 10_000_000) == "x" * LONGEST + "…"


def test_other_scripts_are_left_alone() -> None:
    assert visible("Größe μ 漢字 नमस्ते עברית 😀") == "Größe μ 漢字 नमस्ते עברית 😀"


@given(st.text())
def test_nothing_that_acts_is_left(text: str) -> None:
    acting = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

    assert not [c for c in visible(text) if unicodedata.category(c) in acting]


@given(st.text(alphabet=st.characters() | st.sampled_from("<>&\"'`|\n")))
def test_no_text_ends_an_element_or_an_attribute(text: str) -> None:
    assert not set(for_html(text)) & set("<>\"'")


@given(st.text(alphabet=st.characters() | st.sampled_from("<>|`\n*_[]()")))
def test_no_text_ends_a_cell_of_markdown(text: str) -> None:
    escaped = for_markdown(text)

    assert "<" not in escaped
    assert "\n" not in escaped
    assert "|" not in escaped.replace("\\|", "")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_text_is_a_formula(text: str) -> None:
    assert not for_sheet(text).startswith(("=", "+", "-", "@", "\t"))
