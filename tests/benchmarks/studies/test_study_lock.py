"""``study.lock``: read back as written, over versions; what other rooms read designs from."""

from pathlib import Path

import pytest

from benchmarks.studies.design import LOCK, ArmDesign, Contrast, Design, read_lock, read_whole_lock
from benchmarks.studies.locking import make_lock, merge_lock, write_lock
from benchmarks.studies.resolving import resolve
from engine.budget import Budget
from engine.errors import RecordDamaged
from engine.seeds import Seeds

SEEDS = Seeds(task=1, team=2, evaluation=3)
DESIGN = Design(
    name="kept",
    tasks=("planted",),
    arms=(ArmDesign(name="full"), ArmDesign(name="quiet", patches=("mute reviews",))),
    contrasts=(Contrast(name="c", treatment="quiet", control="full", primary=True),),
    seeds=(SEEDS,),
    budget=Budget(evaluations=3),
)

VERSION_1 = """\
{"version": 1,
 "design": {"version": 1, "name": "kept", "question": "", "tasks": ["planted"],
  "arms": [{"name": "full"}, {"name": "quiet", "patches": ["mute reviews"]}],
  "contrasts": [{"name": "c", "treatment": "quiet", "control": "full", "primary": true}],
  "seeds": [{"task": 1, "team": 2, "evaluation": 3}], "pilot_seeds": [], "protocol": "verified",
  "budget": {"evaluations": 3}, "primary_axis": "evaluations", "feedback_size": null, "order_seed": 0, "notes": []},
 "overrides": ["budget.evaluations=3"], "sources": {"a.toml": "ab"},
 "blocks": [{"task": "planted", "seeds": {"task": 1, "team": 2, "evaluation": 3}, "arms": ["quiet", "full"]}],
 "shard": {"number": 1, "of": 2},
 "amendments": [{"at": "2026-01-01T00:00:00Z", "added": [{"task": 1, "team": 2, "evaluation": 3}], "looks_before": 1}]}
"""


def test_a_lock_of_version_1_is_read(tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(VERSION_1)

    lock = read_whole_lock(tmp_path)

    assert lock is not None
    assert lock.design == DESIGN
    assert (lock.overrides, lock.shard is not None and lock.shard.of) == (("budget.evaluations=3",), 2)
    assert lock.amendments[0].looks_before == 1


def test_a_lock_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    lock = make_lock(resolve(DESIGN), overrides=("a=1",), sources={"x.toml": "00"})

    write_lock(tmp_path, lock)

    assert read_whole_lock(tmp_path) == lock
    assert read_lock(tmp_path) == lock.design
    assert merge_lock(tmp_path, lock) == lock


def test_a_folder_without_a_lock_has_no_design(tmp_path: Path) -> None:
    assert read_lock(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot be read"),
        ('{"version": 7, "other": 1}', "is of version 7, this program reads 1"),
        ("[]", "cannot be read"),
    ],
)
def test_a_lock_that_cannot_be_read_is_no_missing_one(content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / LOCK).write_text(content)

    with pytest.raises(RecordDamaged, match=says):
        read_lock(tmp_path)


def test_a_lock_holds_the_order_of_arms_in_each_block() -> None:
    resolved = resolve(DESIGN)

    lock = make_lock(resolved)

    assert [block.arms for block in lock.blocks] == [tuple(spec.team.name for spec in resolved.plan.specs)]
