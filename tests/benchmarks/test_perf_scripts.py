"""Each benchmark of the engine runs, and says what it measured in the shape that tables are made from."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from benchmarks.perf import (
    bus_round_trip,
    episode_memory,
    logged_turn,
    sandbox_command,
    virtual_time,
)
from benchmarks.perf.__main__ import SCRIPTS
from benchmarks.perf.__main__ import main as run_all
from benchmarks.perf.table import Report, headline, ratios, row, text

QUICK = ["--quick", "--json", "--repetitions", "1"]


def report_of(
    main: Callable[[Sequence[str]], None], capsys: pytest.CaptureFixture[str], *more: str
) -> Report:
    main([*QUICK, *more])
    return msgspec.json.decode(capsys.readouterr().out, type=Report)


def targets(report: Report) -> dict[str, tuple[str | None, float]]:
    return {each.name: (each.at, each.target) for each in report.headlines if each.at}


@pytest.mark.parametrize(
    "main, expected",
    [
        (bus_round_trip.main, {"logged round trip / raw trio memory channels": ("most", 1.5)}),
        (logged_turn.main, {"CPU of a logged turn": ("most", 0.5)}),
        (
            sandbox_command.main,
            {
                "the sleeping shell / bash -c in the sandbox, machine as it is": ("least", 25.0),
                "the sleeping shell / bash -c in the sandbox, machine every core busy": ("least", 10.0),
            },
        ),
        (episode_memory.main, {"memory of a waiting episode": ("most", 150.0)}),
        (virtual_time.main, {}),
    ],
    ids=SCRIPTS,
)
def test_a_benchmark_reports_figures_beside_a_peer_or_limit_with_its_targets(
    main: Callable[[Sequence[str]], None],
    expected: dict[str, tuple[str, float]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = report_of(main, capsys)

    assert targets(report) == expected
    assert {each.is_ours for each in report.rows} == {True, False}
    assert all(0 < each.low <= each.median <= each.high for each in report.rows)
    assert all(0 < each.low <= each.median <= each.high for each in report.headlines)
    assert report.before.cores >= 1


def test_a_peer_that_cannot_be_run_is_left_out_and_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    report = report_of(bus_round_trip.main, capsys, "--peer-python", "/no/such/python")

    assert any("/no/such/python" in note for note in report.notes)
    assert not any("autogen" in each.name for each in report.rows)


def test_all_together_say_which_script_failed(capfd: pytest.CaptureFixture[str]) -> None:
    status = run_all(["--only", "bus_round_trip", "--quick", "--folder", "/no/such/folder"])

    assert status == 1
    assert "these failed, see above: bus_round_trip" in capfd.readouterr().err


def test_a_ratio_is_taken_within_a_repetition_and_a_missed_target_is_said() -> None:
    found = headline("ours / theirs", ratios([2.0, 30.0, 4.0], [1.0, 10.0, 1.0]), at_most=2.5)

    assert (found.low, found.median, found.high) == (2.0, 3.0, 4.0)
    assert found.met is False


def test_a_table_shows_spread_target_and_machine() -> None:
    machine = bus_round_trip.look_at_machine()
    report = Report(
        script="made_up",
        question="What?",
        before=machine,
        after=machine,
        rows=(row("a thing", "ms", [1.0, 2.0, 4.0]),),
        headlines=(headline("a ratio", [3.0], at_least=2.0),),
        notes=("a peer was left out",),
    )

    table = text(report)

    assert "| a thing | 2 ms | 1 to 4 |" in table
    assert "≥ 2 x | met |" in table
    assert f"load {machine.load:.1f}" in table
    assert "- a peer was left out" in table
