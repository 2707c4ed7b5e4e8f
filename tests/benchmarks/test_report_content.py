"""What a report says of a study: never more than its intervals carry."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from reported_studies import HOSTILE, muted, without, write_study

from benchmarks.report.document import Figure, Listing, Notice, Paragraph, Section, Table
from benchmarks.report.report import Report, make_report
from benchmarks.report.sections import factors
from benchmarks.report.sources import NoReport
from benchmarks.studies.design import ArmDesign, Contrast, Design, Lock
from benchmarks.studies.looks import read_looks
from engine.budget import Budget
from engine.errors import RecordDamaged
from engine.seeds import Seeds
from engine.task import Finding
from roles import named_team

pytest.importorskip("vl_convert", reason="reports need the extra `study`")
pytest.importorskip("polars", reason="reports need the extra `study`")
pytest.importorskip("scipy", reason="reports need the extra `study`")

LOW, HIGH = 1.1, 1.4
"""Normalised: about 0.19 and 0.90."""


def spread(mean: float, n: int = 12, *, seed: int = 1) -> list[float | None]:
    return [mean + float(x) for x in np.random.default_rng(seed).normal(0, 0.02, n)]


def section(report: Report, name: str) -> Section:
    return next(each for each in report.document.sections if each.name == name)


def texts(part: Section) -> Iterator[str]:
    for block in part.blocks:
        match block:
            case Paragraph(text=text) | Notice(text=text):
                yield text
            case Listing(items=items):
                yield from items
            case Table(rows=rows):
                yield from (cell for row in rows for cell in row.cells)
            case _:
                pass


def said(report: Report, name: str = "answer") -> str:
    return "\n".join(texts(section(report, name)))


def test_an_effect_is_told_apart_with_its_interval_and_corrected_p(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), (without("reviewer"), spread(LOW, seed=2))])

    answer = said(make_report(folder))

    assert "the function of the reviewer is worth something" in answer
    assert "Without the reviewer (vacuous: whatever looks better accepted): lower by 0.7" in answer
    assert "95 % interval" in answer


def test_noise_is_not_told_apart_from_nothing(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), (without("coder"), spread(HIGH, seed=5))])

    answer = said(make_report(folder))

    assert "the function of the coder is not told apart from nothing" in answer
    assert "worth something" not in answer


def test_arms_that_never_differ_are_said_to_be_the_same(tmp_path: Path) -> None:
    absorbed = without("reviewer", into="experimenter")
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), (absorbed, spread(HIGH))])

    answer = said(make_report(folder))

    assert "separating the reviewer changed no score at all" in answer
    assert "the same score as with it in each of 12 blocks" in answer


def test_below_ten_seeds_there_are_points_and_no_interval(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH, 4)), ("solo", spread(LOW, 4))])

    report = make_report(folder)

    assert "too few to tell it apart from nothing" in said(report)
    assert all(effect.found.difference.low is None for effect in report.findings.effects)
    assert "[" not in said(report, "contrasts")


def test_offline_arms_are_said_to_be_about_offline_policies(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), ("solo", spread(LOW))])

    assert "All of this is about offline policies" in said(make_report(folder))


def test_a_failure_counts_as_the_baseline_and_its_sensitivity_is_shown(tmp_path: Path) -> None:
    scores = [None, *spread(HIGH, 11)]
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), ("solo", scores)], reason=HOSTILE)

    report = make_report(folder)

    solo = report.findings.headline("solo")
    assert solo is not None
    assert solo.failure_rate.estimate == pytest.approx(1 / 12)
    assert report.findings.sensitivity
    assert "⟨U+202E⟩" not in said(report, "audit"), (
        "documents hold texts as they were; formats make them plain"
    )


def test_an_unfinished_study_says_what_is_missing(tmp_path: Path) -> None:
    folder = write_study(
        tmp_path / "s",
        [("full", spread(HIGH)), ("solo", spread(LOW))],
        unfinished=[(1, 3), (1, 4)],
        failed={"battle-of-sexes--solo--seed-4": "the endpoint was down"},
    )

    report = make_report(folder)

    assert "2 of 24 episodes have not ended (solo: 2)" in said(report)
    assert "The outside let 1 of them down" in said(report)
    assert "the endpoint was down" in said(report, "audit")
    assert report.findings.effects[0].found.blocks == 10


def test_a_gap_in_realised_spend_is_flagged(tmp_path: Path) -> None:
    folder = write_study(
        tmp_path / "s", [("full", spread(HIGH)), ("solo", spread(LOW))], evaluations={"solo": 6}
    )

    report = make_report(folder)

    assert [spend.is_flagged for spend in report.findings.spends] == [False, True]
    assert "differs by more than 10 % for solo" in said(report)


def test_findings_of_the_scorer_are_listed_and_advisory_ones_only_counted(tmp_path: Path) -> None:
    seen = [
        Finding(kind="denied-call", detail="open /secret"),
        Finding(kind="source", detail="x", advisory=True),
    ]
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), ("solo", spread(LOW))], findings=seen)

    report = make_report(folder)

    tables = [block for block in section(report, "audit").blocks if isinstance(block, Table)]
    assert [row.cells[4] for row in tables[1].rows] == ["open /secret", "open /secret"]


def test_other_patches_are_contrasts_too(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), (muted(), spread(LOW, seed=3))])

    assert f"{muted().name} against full: lower by" in said(make_report(folder))


def test_shapley_shares_need_all_subsets_and_say_so(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), (without("reviewer"), spread(LOW))])

    assert "need all 16 subsets of the 4 roles. The study holds 2 with roles vacuous" in said(
        make_report(folder), "roles"
    )


def test_a_lock_names_question_contrasts_and_pilots(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH, 14)), ("solo", spread(LOW, 14))])
    seeds = tuple(Seeds(task=n, team=n, evaluation=n) for n in range(1, 15))
    design = Design(
        name="pair",
        question="Do many heads do better than one?",
        tasks=("battle-of-sexes",),
        arms=(
            ArmDesign(name="full", team=named_team("full")),
            ArmDesign(name="solo", team=named_team("solo")),
        ),
        contrasts=(Contrast(name="heads", treatment="full", control="solo", primary=True),),
        seeds=seeds,
        pilot_seeds=seeds[:2],
        budget=Budget(evaluations=8),
    )
    (folder / "study.lock").write_bytes(msgspec.json.encode(Lock(design=design)))

    report = make_report(folder)

    assert len(report.findings.evidence.runs) == 24
    assert "Do many heads do better than one?" in said(report, "design")
    assert "Pilot seeds, left out of every figure: 1 to 2 (4 ended episodes)" in said(report, "design")
    assert "Primary comparison. full against solo: higher by" in said(report)
    assert "Holm" not in said(report).partition("Primary comparison.")[2].partition("\n")[0]


def test_a_report_on_a_locked_study_is_a_look_and_the_same_sight_none_again(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH))])
    design = Design(
        name="one",
        tasks=("battle-of-sexes",),
        arms=(ArmDesign(name="full", team=named_team("full")),),
        seeds=tuple(Seeds(task=n, team=n, evaluation=n) for n in range(1, 13)),
    )
    (folder / "study.lock").write_bytes(msgspec.json.encode(Lock(design=design)))

    for _ in range(2):
        make_report(folder)

    assert [(look.by, look.complete_blocks, look.blocks) for look in read_looks(folder)] == [
        ("report", 12, 12)
    ]


def test_a_folder_of_studies_is_one_report(tmp_path: Path) -> None:
    write_study(tmp_path / "all" / "a", [("full", spread(HIGH)), ("solo", spread(LOW))])
    write_study(
        tmp_path / "all" / "b", [("full", spread(2.5)), ("solo", spread(2.4))], task="prisoners-dilemma"
    )

    report = make_report(tmp_path / "all")

    assert report.findings.evidence.headline_tasks == ("battle-of-sexes", "prisoners-dilemma")
    assert len(report.findings.evidence.runs) == 48


def test_studies_that_do_not_belong_together_are_not_mixed(tmp_path: Path) -> None:
    for name in "ab":
        write_study(tmp_path / "all" / name, [("full", spread(HIGH))])

    with pytest.raises(NoReport, match=r"do not belong together \(a, b\); name one of them"):
        make_report(tmp_path / "all")


def test_what_is_no_study_or_has_no_result_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write_study(tmp_path / "empty", [("full", spread(HIGH, 1))], unfinished=[(0, 0)])
    (tmp_path / "other").mkdir()

    for folder, says in (
        ("empty", "none of its 1 episodes has ended"),
        ("other", "not a study"),
        ("no", "exist"),
    ):
        with pytest.raises(NoReport, match=says):
            make_report(tmp_path / folder)


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH))])
    (folder / "index.sqlite").write_bytes(b"no database at all")

    with pytest.raises(RecordDamaged, match="cannot be read"):
        make_report(folder)


def test_the_command_to_run_again_is_checked_against_the_record(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), ("solo", spread(LOW))])

    text = said(make_report(folder), "provenance")

    assert "does not resolve to exactly the specifications" in text, "made-up specifications hold no digests"


def test_every_picture_says_what_it_shows(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), ("solo", spread(LOW))])

    panels = [
        panel
        for each in make_report(folder).document.sections
        for block in each.blocks
        if isinstance(block, Figure)
        for panel in block.panels
    ]

    assert len(panels) >= 4
    assert all(panel.alt for panel in panels)
    assert len({panel.name for panel in panels}) == len(panels)


def test_what_holds_on_single_tasks_is_said_to_be_exploratory(tmp_path: Path) -> None:
    for task, high, low in (("battle-of-sexes", HIGH, LOW), ("prisoners-dilemma", 2.5, 2.5)):
        arms = [("full", spread(high, 20)), (without("reviewer"), spread(low, 20, seed=4))]
        write_study(tmp_path / "all" / task, arms, task=task)

    report = make_report(tmp_path / "all")

    assert "Where: of 2 differences on single tasks" in said(report)
    assert "no reviewer (vacuous): battle-of-sexes (\N{MINUS SIGN}0.7" in said(report)
    assert {each.task for each in report.findings.by_task} == {"battle-of-sexes", "prisoners-dilemma"}


def crossed(factors: dict[str, tuple[str, str]]) -> list[ArmDesign]:
    """Arms of a crossing of two factors."""
    (one, two), (first, second) = factors, factors.values()
    return [ArmDesign(name=f"{a}+{b}", levels={one: a, two: b}) for a in first for b in second]


def test_a_crossing_needs_two_levels_a_factor_and_every_combination() -> None:
    arms = crossed({"strategy": ("greedy", "uct"), "patch": ("none", "mute reviews")})
    found = factors.crossing(arms)

    assert isinstance(found, factors.Crossing)
    assert found.levels == {"strategy": ("greedy", "uct"), "patch": ("none", "mute reviews")}
    assert found.cells[frozenset()] == "greedy+none"
    assert found.cells[frozenset({"strategy", "patch"})] == "uct+mute reviews"
    assert factors.crossing(arms[:3]) == "3 of 4 combinations of levels are in the study"
    third = ArmDesign(name="third", levels={"strategy": "evolution", "patch": "none"})
    assert factors.crossing([*arms, third]) == "they are made for two levels a factor, and strategy has 3"


def test_a_report_says_what_the_best_feedback_promised(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", [("full", spread(HIGH)), (without("reviewer"), spread(LOW, seed=2))])

    part = section(make_report(folder), "selection")

    assert any("none of it was run" in text for text in texts(part))
