"""From a design to episodes: blocks, the order of arms in them, shards, controls, and what may be compared."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.studies.arms import (
    FieldFault,
    control_arms,
    default_contrasts,
    dropped_arms,
    placebo_arms,
    reference_arms,
    team_of,
)
from benchmarks.studies.design import ArmDesign, Contrast, Design, Shard
from benchmarks.studies.resolving import blocks_of, parse_shard, resolve
from benchmarks.studies.teams import is_driven_by_model
from engine.budget import Budget
from engine.errors import BadSpecification
from engine.seeds import Seeds
from engine.team import StrategySpec
from roles.team import named_team

MODEL = "openai/gpt-4o-mini"


ARMS = (
    ArmDesign(name="full"),
    ArmDesign(name="solo", team="solo"),
    ArmDesign(name="r", team="random-search"),
)


def seeds_of(*numbers: int) -> tuple[Seeds, ...]:
    return tuple(Seeds(task=n, team=n, evaluation=n) for n in numbers)


def make_design(*arms: ArmDesign, seeds: int = 3, **fields: object) -> Design:
    design = Design(
        name="a",
        tasks=("planted", "battle-of-sexes"),
        arms=arms
        or (
            ArmDesign(name="full"),
            ArmDesign(name="solo", team="solo"),
            ArmDesign(name="r", team="random-search"),
        ),
        seeds=seeds_of(*range(1, seeds + 1)),
    )
    return msgspec.structs.replace(design, **fields)


def test_a_block_holds_every_arm_once_with_the_same_seeds() -> None:
    resolved = resolve(make_design())

    blocks: dict[tuple[str, Seeds], list[str]] = {}
    for spec in resolved.plan.specs:
        blocks.setdefault((spec.task, spec.seeds), []).append(spec.team.name)
    assert len(blocks) == 6
    assert all(sorted(arms) == ["full", "r", "solo"] for arms in blocks.values())


def test_blocks_run_one_after_the_other_with_seeds_outermost() -> None:
    resolved = resolve(make_design(seeds=2))

    assert [(spec.seeds.team, spec.task) for spec in resolved.plan.specs][::3] == [
        (1, "planted"),
        (1, "battle-of-sexes"),
        (2, "planted"),
        (2, "battle-of-sexes"),
    ]


def test_the_order_of_arms_is_drawn_for_each_block() -> None:
    resolved = resolve(make_design(seeds=30))

    orders = Counter(block.arms for block in resolved.blocks)

    assert len(orders) == 6
    assert resolve(make_design(seeds=30)).blocks == resolved.blocks
    assert resolve(make_design(seeds=30, order_seed=1)).blocks != resolved.blocks


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12))
def test_adding_seeds_leaves_earlier_blocks_as_they_are(few: int, more: int) -> None:
    before = resolve(make_design(seeds=few)).blocks

    after = resolve(make_design(seeds=few + more)).blocks

    assert after[: len(before)] == before


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 12))
def test_shards_are_a_partition_of_the_blocks_and_keep_arms_together(of: int, seeds: int) -> None:
    design = make_design(seeds=seeds, pilot_seeds=seeds_of(99))
    blocks = resolve(design).blocks
    shards = [blocks_of(blocks, Shard(number=number, of=of)) for number in range(1, of + 1)]

    assert sorted((b.task, b.seeds.team) for shard in shards for b in shard) == sorted(
        (b.task, b.seeds.team) for b in blocks
    )
    assert all(len(block.arms) == len(design.arms) for shard in shards for block in shard)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_shard_has_the_episodes_of_its_blocks_in_their_order() -> None:
    whole = resolve(make_design()).plan.specs
    parts = [resolve(make_design(), shard=Shard(number=n, of=2)).plan.specs for n in (1, 2)]

    for part in parts:
        assert [spec for spec in whole if spec in part] == list(part)
    assert {spec.id for part in parts for spec in part} == {spec.id for spec in whole}


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", ""])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(BadSpecification, match="is no shard; write 1/8"):
        parse_shard(text)


def test_the_arm_is_the_name_of_the_team_in_results() -> None:
    arms = dropped_arms(ArmDesign(name="full"), roles=("reviewer",), senses=("vacuous",), into={})

    team = team_of(arms[0])

    assert team.name == arms[0].name == "no-reviewer.vacuous"
    assert team.patches == ("remove reviewer vacuous",)


def test_the_merge_control_is_one_member_with_every_function() -> None:
    (merged,) = control_arms((ArmDesign(name="full"),), ("merge",))

    team = team_of(merged)

    assert [member.role for member in team.members] == ["coder"]
    assert len(team.members[0].functions) == 4
    assert control_arms((ArmDesign(name="solo", team="solo"),), ("merge",)) == ()


def test_controls_of_a_team_that_a_model_drives_are_driven_by_it_and_hear_nothing() -> None:
    base = ArmDesign(name="full", model=MODEL)
    controls = control_arms((base,), ("solo", "best-of-n", "random-search", "merge"))
    teams = {arm.name: team_of(arm) for arm in controls}

    assert all(arm.model == MODEL for arm in controls)
    assert all(is_driven_by_model(team) for team in teams.values())
    for name in ("best-of-n", "random-search"):
        assert teams[name].members[0].policy == "model"
        assert {each.topic for each in teams[name].interpositions} == {"results", "reviews", "selections"}


def test_each_of_several_models_has_controls_of_its_own() -> None:
    arms = (ArmDesign(name="a", model="openai/gpt-4o"), ArmDesign(name="b", model=MODEL))

    controls = control_arms(arms, ("solo",))

    assert [(arm.name, arm.model) for arm in controls] == [
        ("solo.gpt-4o", "openai/gpt-4o"),
        ("solo.gpt-4o-mini", MODEL),
    ]


def test_an_offline_team_is_no_control_of_a_team_that_a_model_drives() -> None:
    arms = (ArmDesign(name="full", model=MODEL), ArmDesign(name="offline"))
    contrast = Contrast(name="c", treatment="full", control="offline")

    with pytest.raises(FieldFault, match="moves declared by people who know the tasks") as told:
        resolve(make_design(*arms, contrasts=(contrast,)))

    assert told.value.path == ("contrasts", 0, "control")


def test_a_reference_is_compared_with_nothing() -> None:
    arms = (ArmDesign(name="full", model=MODEL), *reference_arms((ArmDesign(name="full"),), ("full",)))

    assert arms[1].name == "full.offline"
    assert default_contrasts(arms) == ()
    with pytest.raises(FieldFault, match="informed reference"):
        resolve(make_design(*arms, contrasts=(Contrast(name="c", treatment="full", control="full.offline"),)))


def test_arms_that_spend_nothing_on_the_primary_axis_are_refused_unless_references() -> None:
    offline = ArmDesign(name="offline")
    budget = Budget(evaluations=5, cost_usd=1.0)

    with pytest.raises(FieldFault, match="offline spends no cost_usd"):
        resolve(
            make_design(ArmDesign(name="full", model=MODEL), offline, budget=budget, primary_axis="cost_usd")
        )
    reference = msgspec.structs.replace(offline, kind="reference")
    resolve(
        make_design(ArmDesign(name="full", model=MODEL), reference, budget=budget, primary_axis="cost_usd")
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"version": 2}, "version: 2 is not known"),
        ({"seeds": ()}, "seeds: there are none"),
        ({"seeds": seeds_of(1, 1)}, "two blocks have the same seeds"),
        ({"seeds": seeds_of(-1)}, "a seed is negative"),
        ({"arms": ()}, "arms: there is none"),
        ({"arms": (ArmDesign(name="a"), ArmDesign(name="a"))}, r"arms\[1\].name: two arms are called a"),
        ({"arms": (ArmDesign(name="a b"),)}, r"arms\[0\].name: 'a b' is no name"),
        ({"protocol": "mlgym"}, "budget.steps: protocol mlgym has 50 steps"),
    ],
)
def test_a_design_built_in_python_is_checked_by_field(fields: dict[str, object], says: str) -> None:
    with pytest.raises(FieldFault, match=says):
        resolve(msgspec.structs.replace(make_design(), **fields))


def test_an_arm_that_mutes_gets_a_placebo_of_what_another_episode_said() -> None:
    muted = ArmDesign(name="quiet", patches=("mute reviews", "duplicate coder 2"))
    placebos = placebo_arms((ArmDesign(name="full"), muted), "a" * 64)

    assert [(arm.name, arm.patches) for arm in placebos] == [
        ("quiet.placebo", (f"placebo reviews {'a' * 64}", "duplicate coder 2"))
    ]
    contrasts = default_contrasts((ArmDesign(name="full"), muted, *placebos))
    assert [(each.treatment, each.control) for each in contrasts] == [
        ("quiet", "full"),
        ("quiet", "quiet.placebo"),
    ]


def test_an_arm_that_debates_gets_a_placebo_in_place_of_the_arguments() -> None:
    debate = ArmDesign(name="debate", strategy=StrategySpec(kind="debate"))

    (placebo,) = placebo_arms((ArmDesign(name="full"), debate), "a" * 64)

    assert placebo.patches == (f"placebo arguments {'a' * 64}",)
    assert team_of(placebo).strategy.kind == "debate"


def test_silence_without_a_placebo_is_noted() -> None:
    muted = ArmDesign(name="quiet", patches=("mute reviews",))

    with_none = resolve(make_design(ArmDesign(name="full"), muted)).design.notes
    beside = resolve(make_design(muted, *placebo_arms((muted,), "a" * 64))).design.notes

    assert any("quiet mutes reviews and has no placebo" in note for note in with_none)
    assert not any("no placebo" in note for note in beside)


def test_a_resolved_design_needs_no_other_file(tmp_path: Path) -> None:
    team = tmp_path / "mine.toml"
    team.write_text((Path(__file__).parents[3] / "roles" / "teams" / "full.toml").read_text())

    design = resolve(make_design(ArmDesign(name="a", team=str(team)))).design

    assert design.arms[0].team == named_team("full")
