"""The report of the released runs says what is published of them; on made-up runs, what can be counted by hand."""

import gzip
from functools import cache
from pathlib import Path

import msgspec
import pytest
from shared_data import shared

from benchmarks.published import PublishedReport, make_report
from benchmarks.published.__main__ import main
from benchmarks.published.actions import actions_by, actions_by_step
from benchmarks.published.behaviour import Behaviour
from benchmarks.published.costs import costs
from benchmarks.published.exits import cause_of, ending_of, exit_row
from benchmarks.published.figures import aup_figure, cost_figure
from benchmarks.published.flags import find_flags
from benchmarks.published.report import figures_of, sheets_of, write_report
from benchmarks.published.sheets import Sheet, cell_text
from benchmarks.published.views import HONEST, PUBLISHED, WITHOUT_INVALID, make_views, profiles
from benchmarks.records import PublishedRuns, Run, TaskRuns


@cache
def report_of(folder: Path) -> PublishedReport:
    return make_report(folder)


def report() -> PublishedReport:
    return report_of(shared("mlgym-results"))


# -- the released runs ------------------------------------------------------------------------------------------------


def test_every_cell_of_the_aggregate_tables_comes_out() -> None:
    found = {check.table: check for check in report().checks}

    assert found["aup_scores_aggregate_results.csv"].largest_difference == 0.0
    assert found["aup_scores_aggregate_results.csv"].cells == 26
    assert all(check.largest_difference <= 0.0005 + 1e-9 for check in found.values())
    assert sum(check.cells for check in found.values()) == 26 + 2 * 169


def test_endings_add_up_to_the_counts_over_all_676_runs() -> None:
    everybody = report().exits_by_model[-1]

    assert everybody.runs == 676
    assert everybody.endings == {
        "submitted": 370, "autosubmitted": 96, "evaluation failed": 133, "no artefact": 60, "died": 12,
        "trajectory missing": 5,
    }  # fmt: skip
    assert everybody.without_score == 188


def test_runs_without_a_score_are_where_they_are_known_to_be() -> None:
    without = {row.name: row.without_score for row in report().exits_by_task}

    assert without == {
        "fineweb-lm": 41, "mountain-car-continuous": 26, "coco-captions": 25, "minatar-breakout": 20, "meta-maze": 18,
        "house-prices": 17, "mnli": 14, "cifar10": 12, "fashion-mnist": 11, "3-sat": 3, "colonel-blotto": 1,
        "battle-of-sexes": 0, "prisoners-dilemma": 0,
    }  # fmt: skip


def test_both_invalid_runs_are_flagged_and_their_figures_alone_are_conspicuous() -> None:
    known = {(flag.task, flag.method, flag.run): flag for flag in report().flags if flag.known_invalid}

    assert set(known) == {
        ("coco-captions", "llama4-17b-128", 3),
        ("colonel-blotto", "claude-35-sonnet-new", 0),
    }
    assert all(flag.conspicuous for flag in known.values())
    random = known["coco-captions", "llama4-17b-128", 3].conspicuous
    assert "equals the mean of 100 uniform random numbers of seed 0" in random


def test_without_its_invalid_run_the_first_by_best_attempt_is_fourth() -> None:
    first = report().ranking_attempt[0]

    assert first.method == "claude-35-sonnet-new"
    assert first.place == {PUBLISHED: 1, WITHOUT_INVALID: 4, HONEST: 4}
    assert first.aup[PUBLISHED] == 1.426


def test_the_range_of_areas_hangs_on_one_invalid_run() -> None:
    ranges = {view.name: view.best_attempt.t_max for view in report().views}

    assert ranges == {PUBLISHED: 1.5, WITHOUT_INVALID: 1.2, HONEST: 1.2}
    assert [len(view.pool.attempt) for view in report().views] == [13, 13, 12]


def test_profiles_never_fall_and_end_at_the_end_of_the_range() -> None:
    for profile in report().profiles:
        shares = [share for _, share in profile.points]
        assert shares == sorted(shares)
        assert profile.points[-1][0] == 1.5
        assert shares[-1] <= 1.0


def test_actions_are_counted_over_all_steps() -> None:
    steps = report().actions_by_step

    assert sum(sum(row.counts.values()) for row in steps) == 16_123
    assert sum(row.counts["validate"] for row in steps) == 2_059
    assert steps[0].runs == 671


@pytest.mark.slow
def test_the_report_is_written_whole_and_its_pictures_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="pictures need the extra study")

    written = write_report(report(), tmp_path)

    assert [path for path in written if not path.is_file()] == []
    assert len([path for path in written if path.suffix == ".svg"]) == len(figures_of(report()))
    text = (tmp_path / "report.md").read_text()
    assert "**0.576** †" in text
    assert all(f"figures/{name}.svg" in text for name in figures_of(report()))
    assert "0.228 †" not in text


def test_the_command_prints_tables_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(shared("mlgym-results"))

    assert main([folder]) == 0
    assert "Best attempt@4" in capsys.readouterr().out
    assert main([folder, "--json"]) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["runs"] == 676


# -- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "ending", "cause"),
    [
        ("submitted", "submitted", "submit"),
        ("autosubmission (max_steps)", "autosubmitted", "steps"),
        ("evaluation_format_error (submit)", "evaluation failed", "submit"),
        ("submission_not_found (exit_format)", "no artefact", "format"),
        ("unknown_error (validate)", "died", "other"),
        ("", "died", "other"),
        (None, "trajectory missing", "unknown"),
    ],
)
def test_an_exit_status_says_how_a_run_ended_and_why(status: str | None, ending: str, cause: str) -> None:
    assert (ending_of(status), cause_of(status)) == (ending, cause)


def behaviour(
    *kinds: str, method: str = "gpt4o2", status: str | None = "submitted", **more: object
) -> Behaviour:
    fields: dict[str, object] = {"task": "3-sat", "run": 0, "has_score": True, **more}
    return Behaviour(method=method, exit_status=status, kinds=kinds, **fields)  # type: ignore[arg-type]  # a test's words


def test_steps_are_shared_out_by_kind_and_by_number() -> None:
    runs = [
        behaviour("edit", "validate", "edit", "submit"),
        behaviour("edit", "submit"),
        behaviour(status=None),
    ]

    (row,) = actions_by(runs, ["gpt4o2", "gpt-o1"])
    first, *_, last = actions_by_step(runs)

    assert (row.runs, row.mean_steps, row.median_steps) == (2, 3.0, 3.0)
    assert row.shares["edit"] == 0.5
    assert (first.runs, first.counts["edit"]) == (2, 2)
    assert (last.step, last.runs, last.counts["submit"]) == (4, 1, 1)


def test_a_cost_is_tokens_at_the_listed_price_and_unlisted_models_have_none() -> None:
    """GPT-4o: 2.5 and 10 USD a million; a million sent and a tenth of it received make 3.5."""
    runs = [
        behaviour(tokens_sent=1_000_000, tokens_received=100_000, recorded_cost_usd=4.0),
        behaviour(method="gemini-20-pro", tokens_sent=5, tokens_received=5),
    ]

    listed, unlisted = costs(runs, ["gpt4o2", "gemini-20-pro"], attempt={"gpt4o2": 1.3}, submission={})

    assert listed.listed_cost_usd == pytest.approx(3.5)
    assert (listed.recorded_cost_usd, listed.best_attempt_aup, listed.best_submission_aup) == (4.0, 1.3, None)
    assert (unlisted.listed_cost_usd, unlisted.recorded_cost_usd) == (None, None)


def test_a_run_is_incomplete_when_it_has_a_score_and_a_limit_other_than_steps_ended_it() -> None:
    statuses = ("autosubmission (exit_cost)", "autosubmission (max_steps)", "submitted")

    row = exit_row("all", [behaviour(status=status) for status in statuses])

    assert (row.incomplete, row.without_score) == (1, 0)


def made_up(scores: list[float], *, invalid: int | None = None) -> PublishedRuns:
    """One method a score on Fashion MNIST, baseline 0.7835."""
    runs = tuple(
        TaskRuns(
            method=f"m{place}",
            task="fashion-mnist",
            metric="accuracy",
            direction="max",
            runs=(
                Run(index=0, entries=(score,), valid=place != invalid, reason="made up" * (place == invalid)),
            ),
        )
        for place, score in enumerate(scores)
    )
    methods = tuple(each.method for each in runs)
    return PublishedRuns(source="here", methods=methods, baselines={"fashion-mnist": 0.7835}, runs=runs)


def test_a_score_far_from_all_others_is_conspicuous_and_a_usual_one_is_not() -> None:
    usual = [0.80, 0.81, 0.82, 0.83, 0.84, 0.85, 0.86, 0.87]

    assert find_flags(made_up(usual)) == ()
    (flag,) = find_flags(made_up([*usual, 0.999]))

    assert (flag.method, flag.known_invalid, flag.best_of_others) == ("m8", "", None)
    assert any("65%" in reason for reason in flag.conspicuous)


def test_too_few_runs_say_nothing_of_what_is_usual() -> None:
    assert find_flags(made_up([0.8, 0.81, 0.999])) == ()


def test_an_invalid_run_leaves_its_method_without_a_score() -> None:
    runs = made_up([0.8, 0.9], invalid=1)
    runs = msgspec.structs.replace(
        runs,
        methods=("gpt4o2", "gpt-o1"),
        runs=tuple(
            msgspec.structs.replace(each, method=name)
            for each, name in zip(runs.runs, ("gpt4o2", "gpt-o1"), strict=True)
        ),
    )

    published, valid, _ = make_views(runs)

    assert published.pool.attempt[0].scores["gpt-o1"] == 0.9
    assert valid.pool.attempt[0].scores["gpt-o1"] is None
    assert {profile.method for profile in profiles(published)} == {"baseline", "gpt4o2", "gpt-o1"}


def test_a_sheet_marks_cells_for_people_and_not_for_programs() -> None:
    sheet = Sheet(
        name="s", title="", note="", columns=("a", "b"), rows=(("x|y", 0.12345), ("z", None)),
        marked=((0, 1),), best=((0, 1),),
    )  # fmt: skip

    assert sheet.markdown().splitlines()[2:] == ["| x\\|y | **0.123** † |", "| z | - |"]
    assert sheet.csv() == "a,b\nx|y,0.12345\nz,\n"
    assert cell_text(-3.12e13, 3) == "-3.12e+13"


def test_labels_of_points_close_together_stand_on_different_sides() -> None:
    rows = costs(
        [
            behaviour(method=name, tokens_sent=1_000_000, tokens_received=0)
            for name in ("claude-35-sonnet-new", "claude-37-sonnet", "gpt4o2")
        ],
        ["claude-35-sonnet-new", "claude-37-sonnet", "gpt4o2"],
        attempt={"claude-35-sonnet-new": 1.40, "claude-37-sonnet": 1.40, "gpt4o2": 1.2},
        submission={},
    )

    values = cost_figure(rows)["data"]["values"]  # type: ignore[index]  # of the specification

    assert len({value["side"] for value in values[:2]}) == 2


def test_a_damaged_folder_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "is not there" in capsys.readouterr().err

    (tmp_path / "results.jsonl.gz").write_bytes(gzip.compress(b'{"model": 1}\n'))
    assert main([str(tmp_path)]) == 2
    assert "line 1" in capsys.readouterr().err


def test_every_table_has_rows_and_as_many_cells_as_columns() -> None:
    for sheet in sheets_of(report()):
        assert sheet.rows
        assert {len(row) for row in sheet.rows} == {len(sheet.columns)}
    assert aup_figure(report().views[0])["width"] == 460
