"""Every patch at work on the real task `planted`: what is done differently is in the record, not only in the head."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import trio
from laboratory import play
from test_model_roles import ANSWERS, by_tool

from benchmarks.studies.plan import Request, make_plan
from benchmarks.studies.reporter import Quiet
from benchmarks.studies.running import limits_for, run_missing
from engine.effects import Command, ModelCall
from engine.journal import AnyRecord, Decided, Posted, Started, read_journal
from engine.messages import Hypothesis, IdeaRequest, Patch, Review, RunResult
from engine.models.scripted import Scripted
from roles import apply, named_team, parse_patch

Journal = list[AnyRecord]


def said(journal: Journal) -> list[Posted]:
    return [record for record in journal if isinstance(record, Posted)]


def deeds(journal: Journal, what: str) -> list[Decided]:
    return [record for record in journal if isinstance(record, Decided) and record.what == what]


def did(journal: Journal) -> dict[str, float]:
    """What the one interposer did."""
    [deed] = deeds(journal, "interposition")
    return deed.candidates


def withholds_all(journal: Journal) -> bool:
    return did(journal)["withheld"] == did(journal)["copies"] > 0


def withholds_some(journal: Journal) -> bool:
    return 0 < did(journal)["withheld"] < did(journal)["copies"]


def changes_some(journal: Journal) -> bool:
    return did(journal)["changed"] > 0 == did(journal)["withheld"]


def has_no(member: str) -> Callable[[Journal], bool]:
    return lambda journal: all(post.sender != member for post in said(journal))


def does(member: str, kind: type) -> Callable[[Journal], bool]:
    return lambda journal: any(p.sender == member and isinstance(p.body, kind) for p in said(journal))


def runs_no_check(journal: Journal) -> bool:
    return not any(isinstance(r, Started) and isinstance(r.effect, Command) for r in journal)


def weighs_nothing(journal: Journal) -> bool:
    return not deeds(journal, "review") and does("reviewer", Review)(journal)


def predicts_nothing(journal: Journal) -> bool:
    ideas = [p.body for p in said(journal) if isinstance(p.body, Hypothesis) and p.body.operator != "debug"]
    return bool(ideas) and all(idea.predicted is None for idea in ideas)


def runs_once(journal: Journal) -> bool:
    return all(p.body.evaluations <= 1 for p in said(journal) if isinstance(p.body, RunResult))


def only_drafts(journal: Journal) -> bool:
    return {p.body.operator for p in said(journal) if isinstance(p.body, IdeaRequest)} == {"draft"}


EFFECTS: dict[str, Callable[[Journal], bool]] = {
    "remove reviewer vacuous": weighs_nothing,
    "remove coder vacuous": runs_no_check,
    "remove experimenter vacuous": runs_once,
    "remove reviewer absorbed:coder": lambda journal: (
        has_no("reviewer")(journal) and does("coder", Review)(journal)
    ),
    "merge coder into experimenter": lambda journal: (
        has_no("coder")(journal) and does("experimenter", Patch)(journal)
    ),
    "replace hypothesizer vacuous": predicts_nothing,
    "duplicate coder 2": does("coder.2", Patch),
    "mute results": withholds_all,
    "shuffle results": changes_some,
    "drop results 0.9": withholds_some,
    "delay results 2": withholds_some,
    "blind hypothesizer results": withholds_some,
    "blind results.sender": changes_some,
    "blind hypotheses.predicted": changes_some,
    "blind results.evidence": changes_some,
    "blind reviewer hypotheses.predicted": changes_some,
    "placebo results from ORIGIN": changes_some,
    "topology star coder": withholds_some,
    "topology ring": withholds_some,
    "topology chain": withholds_some,
    "topology complete": lambda journal: did(journal)["withheld"] == 0 < did(journal)["copies"],
    "topology edges hypothesizer>reviewer": withholds_some,
    "strategy random": only_drafts,
    "strategy greedy drafts=1": lambda journal: bool(said(journal)),
}


@pytest.fixture(scope="module")
def journals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Journal]:
    """One run of every patch, by its text; ``full`` is the team as it is."""
    folder = tmp_path_factory.mktemp("patched")
    with pytest.MonkeyPatch.context() as patching:
        patching.setenv("MLYCEUM_CACHE", str(folder / "cache"))
        return _run_all(folder)


def _run_all(folder: Path) -> dict[str, Journal]:
    origin = folder / "origin" / "episodes" / "planted--full--seed-3"
    _run({"donor": ()}, folder / "origin", seed=3)
    texts = {text: (text.replace("ORIGIN", str(origin)),) for text in EFFECTS}
    return _run({"full": (), **texts}, folder / "patched", seed=2)


def _run(patches: dict[str, tuple[str, ...]], folder: Path, *, seed: int) -> dict[str, Journal]:
    plans = {
        name: make_plan(Request(tasks=("planted",), patches=texts, evaluations=10, first_seed=seed))
        for name, texts in patches.items()
    }
    whole = replace(next(iter(plans.values())), specs=tuple(plan.specs[0] for plan in plans.values()))

    async def run() -> None:
        await run_missing(
            whole, folder=folder, limits=limits_for(4), reporter=Quiet(), workspace="process-if-needed"
        )

    trio.run(run)
    episodes = folder / "episodes"
    return {
        name: list(read_journal(episodes / plan.specs[0].id / "journal.jsonl"))
        for name, plan in plans.items()
    }


@pytest.mark.parametrize("patch", EFFECTS)
def test_a_patch_shows_in_the_record(journals: dict[str, Journal], patch: str) -> None:
    assert EFFECTS[patch](journals[patch])


# Everybody hearing everybody is how it is anyway, rules do not care who speaks, and a reviewer is told the prediction
# in its request, which no interposer touches.
WITHOUT_CONSEQUENCE = (
    "topology complete",
    "blind results.sender",
    "blind hypotheses.predicted",
    "blind reviewer hypotheses.predicted",
)


@pytest.mark.parametrize("patch", [patch for patch in EFFECTS if patch not in WITHOUT_CONSEQUENCE])
def test_a_patch_changes_what_is_said(journals: dict[str, Journal], patch: str) -> None:
    before, after = ([post.envelope() for post in said(journals[name])] for name in ("full", patch))

    assert before[0] == after[0]
    assert before != after


@pytest.mark.parametrize("patch", WITHOUT_CONSEQUENCE)
def test_what_rules_do_not_look_at_changes_nothing(journals: dict[str, Journal], patch: str) -> None:
    assert [p.envelope() for p in said(journals[patch])] == [p.envelope() for p in said(journals["full"])]


async def test_another_model_is_asked_in_place_of_the_first(tmp_path: Path) -> None:
    team = apply(named_team("full"), parse_patch("replace reviewer model first/one"))
    team = apply(team, parse_patch("model reviewer second/one"))
    models = {name: Scripted(by_tool(**ANSWERS), name=name) for name in ("first/one", "second/one")}

    await play(team, model=models, evaluations=3, folder=tmp_path)
    effects = [r.effect for r in read_journal(tmp_path / "journal.jsonl") if isinstance(r, Started)]

    assert {effect.model for effect in effects if isinstance(effect, ModelCall)} == {"second/one"}
    assert not models["first/one"].requests
    assert msgspec.json.encode(team).count(b"first/one") == 1  # in the list of patches
