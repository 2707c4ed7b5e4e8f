"""Forks of offline teams: the same research up to a message, and then something else."""

from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from laboratory import play, play_on
from test_model_roles import ANSWERS, by_tool

from engine.effects import ModelCall
from engine.episode import EpisodeResult, EpisodeSpec
from engine.errors import BadSpecification
from engine.fork import fork_spec, read_origin
from engine.journal import AnyRecord, Decided, Posted, Started, read_journal, without_measured
from engine.messages import Envelope, Failed, IdeaRequest, ReviewRequest
from engine.models.scripted import Scripted
from engine.seeds import Seeds
from roles import STRATEGIES, apply, named_team, parse_patch
from roles.handover import check_fork

Kind = TypeVar("Kind", bound=AnyRecord)
FULL = named_team("full")
SEED_5 = Seeds(task=1, team=5, evaluation=5)


def lines(folder: Path) -> list[bytes]:
    return [without_measured(line) for line in (folder / "journal.jsonl").read_bytes().splitlines()]


def posted(folder: Path) -> list[Posted]:
    return [record for record in read_journal(folder / "journal.jsonl") if isinstance(record, Posted)]


def records(folder: Path, kind: type[Kind]) -> list[Kind]:
    return [record for record in read_journal(folder / "journal.jsonl") if isinstance(record, kind)]


async def forked(
    tmp_path: Path, at: int, *patches: str, seeds: Seeds | None = None, name: str = "fork"
) -> EpisodeResult:
    if not (tmp_path / "origin").exists():
        await play(FULL, folder=tmp_path / "origin")
    origin = read_origin(tmp_path / "origin")
    team = origin.spec.team
    for text in patches:
        team = apply(team, parse_patch(text))
    spec = fork_spec(origin, at=at, team=team, patches=patches, seeds=seeds)
    return await play_on(tmp_path / "origin", spec, tmp_path / name)


@pytest.mark.parametrize("at", [1, 2, 3, 7, 20, 33, 50])
async def test_a_fork_without_a_patch_is_the_rest_of_its_origin(tmp_path: Path, at: int) -> None:
    await forked(tmp_path, at)

    assert lines(tmp_path / "fork")[1:] == lines(tmp_path / "origin")[1:]


@pytest.mark.parametrize(
    "patch",
    [
        "remove reviewer vacuous",
        "remove hypothesizer vacuous",
        "remove coder vacuous",
        "remove reviewer absorbed:coder",
        "merge hypothesizer into experimenter",
        "duplicate coder 2",
        "duplicate experimenter 3",
        "mute results",
        "shuffle results",
        "delay results 2",
        "blind hypothesizer results",
        "topology star coder",
        "strategy random",
        "strategy best-of-n",
        "strategy greedy drafts=2",
    ],
)
@pytest.mark.parametrize("at", [9, 22])
async def test_a_fork_is_its_origin_up_to_the_message_and_ends_by_itself(
    tmp_path: Path, patch: str, at: int
) -> None:
    result = await forked(tmp_path, at, patch)
    origin, fork = posted(tmp_path / "origin"), posted(tmp_path / "fork")

    assert [m.envelope() for m in fork[:at]] == [m.envelope() for m in origin[:at]]
    assert result.outcome == "submitted"
    assert result.evaluations == 12


@pytest.mark.parametrize("at", [9, 22, 40])
@pytest.mark.parametrize(
    ("role", "into"), [("reviewer", "coder"), ("hypothesizer", "coder"), ("experimenter", "hypothesizer")]
)
async def test_a_function_that_moves_goes_on_with_what_it_knew(
    tmp_path: Path, at: int, role: str, into: str
) -> None:
    """Offline members share what they know, so that who has a function makes no difference to what is said."""
    await forked(tmp_path, at, f"merge {role} into {into}")
    said = [[(m.body, m.to, m.topic) for m in posted(tmp_path / name)] for name in ("origin", "fork")]
    handover = [r for r in read_journal(tmp_path / "fork" / "journal.jsonl") if isinstance(r, Decided)]

    anonymous = [[(body, topic) for body, _, topic in each] for each in said]
    assert anonymous[0] == anonymous[1]
    assert all(r.rule.startswith("rehearsed") for r in handover if r.what == "handover")


async def test_the_request_at_the_fork_is_answered_by_the_new_reviewer(tmp_path: Path) -> None:
    await play(FULL, folder=tmp_path / "origin")
    at = [m.seq for m in posted(tmp_path / "origin") if isinstance(m.body, ReviewRequest)][2]

    await forked(tmp_path, at, "remove reviewer vacuous")
    records = list(read_journal(tmp_path / "fork" / "journal.jsonl"))
    handovers = [r for r in records if isinstance(r, Decided) and r.what == "handover"]
    rules = [r.what for r in records if isinstance(r, Decided) and r.member == "reviewer"]

    assert [(r.member, r.chosen) for r in handovers] == [("reviewer", "review (vacuous)")]
    assert "review" not in rules[rules.index("handover") :]


async def test_a_newcomer_works_from_the_fork_on_and_never_before(tmp_path: Path) -> None:
    await play(msgspec.structs.replace(FULL, in_flight=3), folder=tmp_path / "origin")
    await forked(tmp_path, 30, "duplicate coder 2")
    by_newcomer = [m.seq for m in posted(tmp_path / "fork") if m.sender == "coder.2"]

    assert by_newcomer
    assert min(by_newcomer) > 30


async def test_who_has_left_finishes_its_work_and_says_nothing_more(tmp_path: Path) -> None:
    await forked(tmp_path, 22, "merge reviewer into coder")
    late = [m.seq for m in posted(tmp_path / "fork") if m.sender == "reviewer" and m.seq > 22]

    assert len(late) <= 1


async def test_another_strategy_decides_from_the_fork_on(tmp_path: Path) -> None:
    await forked(tmp_path, 22, "strategy random")
    asked = [m for m in posted(tmp_path / "fork") if isinstance(m.body, IdeaRequest) and m.seq > 22]

    assert asked
    assert {m.body.operator for m in asked if isinstance(m.body, IdeaRequest)} == {"draft"}
    assert not [m for m in posted(tmp_path / "fork") if isinstance(m.body, ReviewRequest) and m.seq > 30]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *(("greedy", name) for name in STRATEGIES),
        *((name, "greedy") for name in STRATEGIES),
        ("debate", "blackboard"),
        ("blackboard", "debate"),
    ],
)
async def test_any_strategy_can_succeed_any_other(tmp_path: Path, before: str, after: str) -> None:
    team = apply(FULL, parse_patch(f"strategy {before}"))
    await play(msgspec.structs.replace(team, in_flight=2), folder=tmp_path / "origin", evaluations=8)
    result = await forked(tmp_path, 25, f"strategy {after}")

    assert result.outcome == "submitted"
    if before == after:
        assert lines(tmp_path / "fork")[1:] == lines(tmp_path / "origin")[1:]
    assert not [m for m in posted(tmp_path / "fork") if isinstance(m.body, Failed)]


async def test_other_seeds_go_on_otherwise_and_the_same_seeds_repeat(tmp_path: Path) -> None:
    await forked(tmp_path, 22, seeds=SEED_5)
    await forked(tmp_path, 22, seeds=SEED_5, name="again")
    await forked(tmp_path, 22, seeds=Seeds(task=1, team=6, evaluation=6), name="other")
    said: list[list[Envelope]] = [
        [m.envelope() for m in posted(tmp_path / name)] for name in ("origin", "fork", "again", "other")
    ]

    assert lines(tmp_path / "fork") == lines(tmp_path / "again")
    assert len({repr(each[22:]) for each in said}) == 3
    assert len({repr(each[:22]) for each in said}) == 1


@pytest.mark.parametrize("kept", [1, 3, 20, -1])
@pytest.mark.parametrize("patch", ["remove reviewer absorbed:coder", "strategy random", "duplicate coder 2"])
async def test_a_fork_that_was_killed_goes_on_to_the_same_end(tmp_path: Path, patch: str, kept: int) -> None:
    await forked(tmp_path, 22, patch, seeds=SEED_5)
    whole = lines(tmp_path / "fork")
    path = tmp_path / "fork" / "journal.jsonl"
    raw = path.read_bytes().splitlines(keepends=True)
    prefix = next(n for n, line in enumerate(raw) if b'"seq":22,' in line) + 1
    path.write_bytes(b"".join(raw[: prefix + kept] if kept > 0 else raw[:kept]))

    await forked(tmp_path, 22, patch, seeds=SEED_5)

    assert lines(tmp_path / "fork") == whole


async def test_what_was_spent_before_the_fork_counts(tmp_path: Path) -> None:
    result = await forked(tmp_path, 40, "remove reviewer vacuous")

    assert result.spending["evaluations"] == 12


async def test_the_head_names_where_a_fork_comes_from(tmp_path: Path) -> None:
    await forked(tmp_path, 22, "mute results")
    origin = read_origin(tmp_path / "origin")
    head = msgspec.json.decode(lines(tmp_path / "fork")[0])
    spec = msgspec.convert(head["specification"], EpisodeSpec)

    assert spec.fork is not None
    assert (spec.fork.origin, spec.fork.spec) == (origin.spec.id, origin.spec.digest())
    assert (spec.fork.at, spec.fork.patches) == (22, ("mute results",))
    assert spec.team.name == "full.mute-results"


def test_a_fork_keeps_who_leads() -> None:
    with pytest.raises(BadSpecification, match="led by different members"):
        check_fork(FULL, named_team("solo"))


async def test_a_model_takes_over_from_a_model_or_from_rules(tmp_path: Path) -> None:
    models = {name: Scripted(by_tool(**ANSWERS), name=name) for name in ("a/one", "b/two", "c/three")}
    team = apply(FULL, parse_patch("replace reviewer model a/one"))
    await play(team, model={"a/one": models["a/one"]}, folder=tmp_path / "origin", evaluations=8)
    origin = read_origin(tmp_path / "origin")
    asked = len(models["a/one"].requests)
    patches = ("model reviewer b/two", "replace coder model c/three")
    for text in patches:
        team = apply(team, parse_patch(text))

    await play_on(tmp_path / "origin", fork_spec(origin, at=30, team=team), tmp_path / "fork", model=models)
    calls = [r.effect.model for r in records(tmp_path / "fork", Started) if isinstance(r.effect, ModelCall)]

    assert len(models["a/one"].requests) == asked
    assert calls[0] == "a/one"
    assert {"b/two", "c/three"} <= set(calls)
    assert "a/one" not in calls[calls.index("b/two") :]
