"""Patches on teams: as values, as text, one after another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadSpecification, UnknownName, UserError
from engine.messages import CODE, HYPOTHESIZE, REVIEW, TOPICS
from roles import apply, describe, named_team, parse_patch, parse_without
from roles.ablation import Duplicate, Interpose, Merge, Patch, Remove, Replace

ROLE = st.sampled_from(["hypothesizer", "coder", "experimenter", "reviewer"])
PAIR = st.tuples(ROLE, ROLE).filter(lambda pair: pair[0] != pair[1])
PATCHES: st.SearchStrategy[Patch] = st.one_of(
    st.builds(Remove, role=ROLE),
    PAIR.map(lambda pair: Remove(role=pair[0], into=pair[1])),
    PAIR.map(lambda pair: Merge(role=pair[0], into=pair[1])),
    st.builds(Replace, role=ROLE, policy=st.sampled_from(["offline", "vacuous"])),
    st.builds(Replace, role=ROLE, policy=st.just("model"), model=st.sampled_from([None, "local/small"])),
    st.builds(Duplicate, role=ROLE, replicas=st.integers(1, 64)),
    st.builds(Interpose, kind=st.sampled_from(["mute", "shuffle"]), topic=st.sampled_from(TOPICS)),
    st.builds(
        Interpose, kind=st.just("drop"), topic=st.sampled_from(TOPICS), amount=st.sampled_from([0.25, 1.0])
    ),
)


@given(PATCHES)
def test_text_and_value_of_a_patch_are_the_same(patch: Patch) -> None:
    assert parse_patch(describe(patch)) == patch


@given(st.lists(PATCHES, max_size=5))
def test_patches_add_up_and_are_recorded_or_refused_in_a_sentence(patches: list[Patch]) -> None:
    team = named_team("full")
    applied: list[str] = []
    refused: list[str] = []
    for patch in patches:
        try:
            team = apply(team, patch)
        except UserError as error:
            refused.append(str(error))
            continue
        applied.append(describe(patch))

    assert list(team.patches) == applied
    assert all("; " in sentence for sentence in refused)
    assert {function for member in team.members for function in member.functions} == {
        HYPOTHESIZE,
        CODE,
        "experiment",
        REVIEW,
    }


@given(ROLE, ROLE)
def test_the_order_of_two_vacuous_removals_does_not_matter(one: str, other: str) -> None:
    full = named_team("full")
    ab = apply(apply(full, Remove(role=one)), Remove(role=other))
    ba = apply(apply(full, Remove(role=other)), Remove(role=one))

    assert ab.members == ba.members


def test_an_absorbed_role_keeps_its_function_and_its_policy() -> None:
    team = apply(named_team("full"), parse_patch("remove reviewer absorbed:coder"))
    [coder] = [member for member in team.members if member.role == "coder"]

    assert [member.role for member in team.members] == ["hypothesizer", "coder", "experimenter"]
    assert coder.functions == (CODE, REVIEW)
    assert (coder.policy, coder.policies) == ("offline", {})


def test_a_vacuous_role_that_is_absorbed_stays_vacuous() -> None:
    team = apply(apply(named_team("full"), Remove(role="reviewer")), Remove(role="reviewer", into="coder"))
    [coder] = [member for member in team.members if member.role == "coder"]

    assert coder.policies == {REVIEW: "vacuous"}


def test_an_absorbed_function_can_still_be_made_vacuous() -> None:
    team = apply(apply(named_team("full"), Remove(role="reviewer", into="coder")), Remove(role="reviewer"))
    [coder] = [member for member in team.members if member.role == "coder"]

    assert coder.policies == {REVIEW: "vacuous"}


def test_patched_teams_have_names_of_their_own() -> None:
    full = named_team("full")
    texts = (
        "remove reviewer vacuous",
        "remove reviewer absorbed:coder",
        "mute results",
        "shuffle results",
        "duplicate coder 2",
    )
    names = {apply(full, parse_patch(text)).name for text in texts}

    assert len(names | {full.name}) == len(texts) + 1


def test_without_takes_a_role_alone_or_a_sense() -> None:
    assert parse_without("reviewer") == parse_without("reviewer=vacuous") == Remove(role="reviewer")
    assert parse_without("coder=absorbed:hypothesizer") == Remove(role="coder", into="hypothesizer")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reviewr", "did you mean 'reviewer'"),
        ("reviewer=gone", "vacuous or absorbed:ROLE"),
        ("reviewer=absorbed:codr", "did you mean 'coder'"),
        ("reviewer=absorbed:reviewer", "cannot absorb itself"),
        ("reviewer=absorbed:", "vacuous or absorbed:ROLE"),
    ],
)
def test_a_wrong_removal_is_answered_with_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_without(text)


@pytest.mark.parametrize(
    "text", ["", "remove", "mute", "drop results 2", "duplicate coder many", "merge coder and reviewer"]
)
def test_what_is_no_patch_is_answered_with_the_grammar(text: str) -> None:
    with pytest.raises(BadSpecification, match="is none of"):
        parse_patch(text)


def test_a_solo_member_cannot_be_taken_away() -> None:
    with pytest.raises(BadSpecification, match="no vacuous form"):
        apply(named_team("solo"), Remove(role="solo"))
    with pytest.raises(BadSpecification, match="has no reviewer"):
        apply(named_team("solo"), Remove(role="reviewer"))


def test_a_muted_topic_must_exist() -> None:
    with pytest.raises(UnknownName, match="did you mean 'results'"):
        parse_patch("mute result")
