"""Patches on teams: as values, as text, one after another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.blinding import blankable
from engine.errors import BadSpecification, UnknownName, UserError
from engine.messages import CODE, HYPOTHESIZE, REVIEW, TOPICS
from roles import apply, describe, named_team, parse_patch, parse_without
from roles.ablation import (
    Blind,
    Duplicate,
    Interpose,
    Merge,
    Patch,
    Placebo,
    Remove,
    Replace,
    Rewire,
    Strategy,
    SwapModel,
)

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
    st.builds(
        Interpose, kind=st.just("delay"), topic=st.sampled_from(TOPICS), amount=st.sampled_from([1.0, 9.0])
    ),
    st.builds(Blind, topic=st.sampled_from(TOPICS), role=ROLE),
    st.sampled_from([(topic, field) for topic in TOPICS for field in blankable(topic)]).flatmap(
        lambda place: st.builds(
            Blind, topic=st.just(place[0]), field=st.just(place[1]), role=ROLE | st.just("")
        )
    ),
    st.builds(Placebo, topic=st.sampled_from(TOPICS), donor=st.sampled_from(["0a" * 32, "0b" * 32])),
    st.builds(Rewire, shape=st.just("star"), hub=ROLE),
    st.builds(Rewire, shape=st.sampled_from(["ring", "chain", "complete"])),
    st.builds(Rewire, shape=st.just("edges"), edges=st.lists(PAIR, min_size=1, unique=True).map(tuple)),
    st.builds(SwapModel, role=ROLE, model=st.sampled_from(["local/small", "a/b/c", "a/b-c"])),
    st.builds(Strategy, name=st.sampled_from(["greedy", "random", "best-of-n"])),
    st.builds(
        Strategy, name=st.just("greedy"), settings=st.fixed_dictionaries({"drafts": st.integers(1, 5)})
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


@given(PATCHES, PATCHES)
def test_different_patches_make_teams_of_different_names(one: Patch, other: Patch) -> None:
    """The arm of an episode is its team's name."""
    try:
        names = [apply(named_team("full"), each).name for each in (one, other)]
    except UserError:
        return
    is_one_removal = {type(one), type(other)} <= {Remove, Merge} or {type(one), type(other)} == {
        Remove,
        Replace,
    }

    assert (names[0] == names[1]) == (one == other) or is_one_removal


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("blind reviewr results", "did you mean 'reviewer'"),
        ("blind reviewer result", "did you mean 'results'"),
        ("blind hypotheses.predictd", "did you mean 'predicted'"),
        ("blind reviews.verdict", "has no blank; those that do are sender, objections"),
        ("blind results.", "unknown field of results ''"),
        ("topology rig", "did you mean 'ring'"),
        ("topology star codr", "did you mean 'coder'"),
        ("topology star", "topology star ROLE"),
        ("topology edges coder=reviewer", "SPEAKER>HEARER"),
        ("topology edges coder>coder", "leads from a role to itself"),
        ("model coder gpt", "write it as provider/name"),
        ("strategy gredy", "did you mean 'greedy'"),
        ("strategy greedy drafts", "write KEY=VALUE"),
    ],
)
def test_a_wrong_patch_is_answered_with_what_was_probably_meant(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_patch(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model coder local/small", "no model drives the coder of full; let one with 'replace coder model"),
        ("strategy greedy drafts=many", "drafts"),
        ("strategy solo", "strategy 'solo' leads exactly one member"),
    ],
)
def test_a_patch_that_does_not_fit_the_team_says_why(text: str, said: str) -> None:
    with pytest.raises(BadSpecification, match=said):
        apply(named_team("full"), parse_patch(text))


def test_a_topology_is_written_as_edges_and_given_once() -> None:
    team = apply(named_team("full"), parse_patch("topology star coder"))
    [topology] = team.interpositions

    assert ("coder", "reviewer") in topology.edges
    assert ("reviewer", "hypothesizer") not in topology.edges
    with pytest.raises(BadSpecification, match="has a topology already"):
        apply(team, parse_patch("topology ring"))


def test_a_muted_topic_must_exist() -> None:
    with pytest.raises(UnknownName, match="did you mean 'results'"):
        parse_patch("mute result")
