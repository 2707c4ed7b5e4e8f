"""What every policy of every function must do: whoever drives a role, a team can rely on this.

Use: ``await check_teamwork(team, model=…)`` for a whole team, or `every_team` for all subsets of roles in both senses.
"""

import itertools
from collections.abc import Iterator

from engine.effects import AnyEffect
from engine.journal import Posted, Started
from engine.messages import CODE, EXPERIMENT, HYPOTHESIZE, REVIEW
from engine.team import TeamSpec
from roles import apply, named_team
from roles.ablation import Remove

NAMES = ("hypothesizer", "coder", "experimenter", "reviewer")
ANSWER_OF = {HYPOTHESIZE: "Hypothesis", CODE: "Patch", EXPERIMENT: "RunResult", REVIEW: "Review"}
OPINIONS = {"Motion": ("Argument", "Vote"), "BidRequest": ("Bid",)}
"""What is asked of every function beside its work, and how it is answered."""


def every_team() -> Iterator[TeamSpec]:
    """The full team with every subset of its roles removed, in the vacuous and in the absorbed sense."""
    full = named_team("full")
    yield full
    for count in range(1, len(NAMES) + 1):
        for gone in itertools.combinations(NAMES, count):
            team = full
            for role in gone:
                team = apply(team, Remove(role=role))
            yield team
            stay = [role for role in NAMES if role not in gone]
            if stay:
                team = full
                for role in gone:
                    team = apply(team, Remove(role=role, into=stay[0]))
                yield team


def check_conversation(posted: list[Posted], started: list[Started], *, evaluations: int) -> None:
    """Hold a record against what the functions promise.

    - every request to a queue is answered once, by the kind of message that answers it, about the same node;
    - nobody reports more evaluations than the request allowed, and what is reported is what was spent;
    - exactly one selection is final, and it names an artefact that was handed in or the starter.
    """
    requests = {each.seq: each for each in posted if each.to in ANSWER_OF}
    answers: dict[int, list[Posted]] = {}
    for each in posted:
        if each.cause in requests:
            answers.setdefault(each.cause, []).append(each)
    for seq, request in requests.items():
        [answer] = answers[seq]
        if type(request.body).__name__ in OPINIONS:
            assert type(answer.body).__name__ in OPINIONS[type(request.body).__name__]
            assert (answer.body.node, answer.body.function) == (request.body.node, request.to)  # type: ignore[union-attr]  # opinions have both
            continue
        assert type(answer.body).__name__ == ANSWER_OF[request.to]  # type: ignore[index]  # it is in the table
        assert answer.body.node == request.body.node  # type: ignore[union-attr]  # requests and answers have nodes
        if request.to == EXPERIMENT:
            assert 0 <= answer.body.evaluations <= request.body.evaluations_at_most  # type: ignore[union-attr]
    spent = sum(_is_feedback(each.effect) for each in started)
    reported = sum(each.body.evaluations for each in posted if type(each.body).__name__ == "RunResult")  # type: ignore[union-attr]
    assert reported == spent <= evaluations
    finals = [each.body for each in posted if type(each.body).__name__ == "Selection" and each.body.final]  # type: ignore[union-attr]
    assert len(finals) == 1
    made = {each.body.artefact for each in posted if type(each.body).__name__ == "Patch"}  # type: ignore[union-attr]
    starters = {each.body.starter for each in posted if type(each.body).__name__ == "Brief"}  # type: ignore[union-attr]
    assert finals[0].artefact in made | starters  # type: ignore[union-attr]


def _is_feedback(effect: AnyEffect) -> bool:
    return type(effect).__name__ == "Evaluation" and getattr(effect, "split", "") == "feedback"


__all__ = ["NAMES", "check_conversation", "every_team"]
