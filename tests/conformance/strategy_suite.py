"""What every strategy must do, whoever is in its team: keep the budget, end, hand something in, repeat itself.

Use: `teams_of(strategy)` for teams with roles removed, `led_by(strategy)` for the full team, and `check_episode` on what
an episode leaves behind.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec
from conformance.role_suite import NAMES, check_conversation

from engine.episode import EpisodeResult
from engine.journal import Decided, Posted, Started, read_journal, without_measured
from engine.messages import HYPOTHESIZE, AnyBody, IdeaRequest
from engine.team import TeamSpec
from roles import apply, named_team, parse_patch
from roles.ablation import Remove


def led_by(strategy: str, *, in_flight: int = 1) -> TeamSpec:
    """The full team, led by a strategy; with more than one node in flight, its roles have as many members."""
    team = apply(named_team("full"), parse_patch(f"strategy {strategy}"))
    for role in NAMES if in_flight > 1 else ():
        team = apply(team, parse_patch(f"duplicate {role} {in_flight}"))
    return msgspec.structs.replace(team, in_flight=in_flight)


def teams_of(strategy: str, *, at_once: int = 1) -> Iterator[TeamSpec]:
    """Teams of a strategy with up to so many roles removed together, in the vacuous and in the absorbed sense."""
    for count in range(1, at_once + 1):
        for gone in itertools.combinations(NAMES, count):
            vacuous = absorbed = led_by(strategy)
            heir = next((role for role in NAMES if role not in gone), None)
            for role in gone:
                vacuous = apply(vacuous, Remove(role=role))
                absorbed = absorbed if heir is None else apply(absorbed, Remove(role=role, into=heir))
            yield vacuous
            if heir is not None:
                yield absorbed


def read(folder: Path) -> tuple[list[Posted], list[Started], list[Decided]]:
    """What was said, done and decided in the episode of a folder."""
    records = [each for path in sorted(folder.rglob("journal.jsonl")) for each in read_journal(path)]
    return (
        [each for each in records if isinstance(each, Posted)],
        [each for each in records if isinstance(each, Started)],
        [each for each in records if isinstance(each, Decided)],
    )


def bodies(folder: Path, *kinds: type[AnyBody]) -> list[AnyBody]:
    """The messages of some kinds, in order."""
    return [each.body for each in read(folder)[0] if isinstance(each.body, kinds)]


def lines(folder: Path) -> list[bytes]:
    """The record, times aside."""
    return [
        without_measured(line)
        for path in sorted(folder.rglob("journal.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


def check_episode(folder: Path, result: EpisodeResult, *, evaluations: int, in_flight: int = 1) -> None:
    """Hold an episode against what every strategy promises.

    - it was submitted, with one final selection, and scored;
    - every request was answered once, and no evaluation was spent beyond the budget or beyond what a request allowed;
    - never more nodes were in progress than declared.
    """
    assert (result.outcome, result.reason) == ("submitted", "")
    assert result.final.value is not None
    posted, started, _ = read(folder)
    check_conversation(posted, started, evaluations=evaluations)
    assert most_in_flight(posted) <= in_flight


def most_in_flight(posted: list[Posted]) -> int:
    """The largest number of nodes that waited for an answer at the same time; ideas for one debate count once."""
    waiting: dict[int, int] = {}
    group, most = 0, 0
    last: tuple[object, ...] = ()
    for each in posted:
        if each.to is not None and not each.cause and each.sender == "strategy":
            node = int(getattr(each.body, "node", 0))
            if each.to == HYPOTHESIZE and isinstance(each.body, IdeaRequest):
                is_rival = last == (each.body.operator, each.body.parents, each.body.evaluations_left)
                group = group if is_rival else node
                last = (each.body.operator, each.body.parents, each.body.evaluations_left)
                node = group
            else:
                last = ()
            waiting[each.seq] = node
        elif each.cause in waiting:
            del waiting[each.cause]
            last = ()
        most = max(most, len(set(waiting.values())))
    return most


__all__ = ["bodies", "check_episode", "led_by", "lines", "most_in_flight", "read", "teams_of"]
