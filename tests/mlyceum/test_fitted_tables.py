"""Tables that leave columns out rather than cut figures."""

import io

from rich.console import Console

from mlyceum.viewer.fitted import Column, print_fitted

COLUMNS = (
    Column(name="task"),
    Column(name="mean", right=True),
    Column(name="baseline", right=True, optional=1),
    Column(name="spaces", optional=2),
)
ROWS = [("battle-of-sexes", "1.4400", "1.0210", "default (22), templates (10)")]


def printed(width: int) -> str:
    file = io.StringIO()
    print_fitted(Console(file=file, width=width), COLUMNS, ROWS)
    return file.getvalue()


def test_everything_is_shown_where_there_is_room() -> None:
    shown = printed(80)

    assert "templates (10)" in shown
    assert "no room" not in shown


def test_the_least_needed_columns_go_first_and_are_named() -> None:
    shown = printed(40)

    assert "1.0210" in shown
    assert "no room here for: spaces" in shown


def test_figures_are_never_cut() -> None:
    for width in range(10, 80):
        assert "1.4400" in printed(width), width
        assert "…" not in printed(width)
