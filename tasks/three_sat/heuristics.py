"""Branching heuristics as source text: the baseline, and a family of them for the declared move space.

A point of the family is written out as one plain file with its choices in place, as a person would write it.
The family holds what the SAT literature tried before clause learning, good and bad alike.

Sources: DLIS and DLCS (Marques-Silva 1999), Jeroslow and Wang 1990, MOMS (Freeman 1995), the balanced sum of
Boehm and Speckenmeyer 1996, one-step lookahead (Li and Anbulagan 1997).
"""

from collections.abc import Mapping

from engine.errors import BadSpecification
from engine.messages import Value
from engine.task import MoveSpace, Parameter
from tasks.three_sat import fragments

_COUNTED = ("dlis", "dlcs")
_WEIGHTED = ("jeroslow-wang", "jeroslow-wang-two-sided", "balanced")
_SCORED = (*_COUNTED, *_WEIGHTED, "moms", "conflicts")

FAMILY = MoveSpace(
    parameters=(
        Parameter(
            name="rule",
            choices=("random", "first", "conflicts", *_COUNTED, *_WEIGHTED, "moms", "lookahead"),
            note="what makes a variable worth branching on",
        ),
        Parameter(
            name="base",
            low=1.0,
            high=32.0,
            log=True,
            only_if={"rule": _WEIGHTED},
            note="a clause weighs base ** (3 - its free literals)",
        ),
        Parameter(
            name="balance",
            low=0.0,
            high=8.0,
            only_if={"rule": ("balanced",)},
            note="weight of the rarer literal beside the more frequent one",
        ),
        Parameter(
            name="moms_k",
            low=0.0,
            high=10.0,
            integer=True,
            only_if={"rule": ("moms",)},
            note="(p + q) * 2 ** k + p * q over the shortest clauses",
        ),
        Parameter(
            name="conflict_weight",
            choices=(4.0, 1.0, 0.25, 0.05, 0.0),
            ordered=True,
            only_if={"rule": tuple(rule for rule in _SCORED if rule != "conflicts")},
            note="added to the score per conflict of the variable",
        ),
        Parameter(
            name="tie",
            choices=("lowest", "highest", "recent"),
            only_if={"rule": _SCORED},
            note="which of the variables with the best score",
        ),
        Parameter(
            name="polarity",
            choices=("true", "majority", "minority", "heavier", "lighter"),
            note="the value tried first: fixed, or by the number or the weight of clauses it makes true",
        ),
    )
)
"""The declared space. The order of choices carries no meaning."""

BASELINE_POINT: dict[str, Value] = {
    "rule": "random",
    "base": 2.0,
    "balance": 0.5,
    "moms_k": 5,
    "conflict_weight": 0.25,
    "tie": "lowest",
    "polarity": "true",
}
"""The point that the starter file stands for; axes that it leaves idle are there for completeness."""

BASELINE = '''\
"""Branch on a random variable and try true first."""

import random


def heuristic(unresolved_clauses, assignments, conflict_count, assignment_history, level):
    """Return the variable to branch on and the value to try first."""
    random.seed(10)
    unassigned = set()
    for clause in unresolved_clauses:
        for literal in clause:
            if abs(literal) not in assignments:
                unassigned.add(abs(literal))
    if not unassigned:
        return None, True
    return random.choice(list(unassigned)), True
'''
"""The starter file: MLGym's baseline, written from its description."""

NULL = '''\
"""Branch on the first free variable: next to no work, so its time is what answering costs in itself."""


def heuristic(unresolved_clauses, assignments, conflict_count, assignment_history, level):
    """Return the first unassigned variable, true first."""
    for literal in unresolved_clauses[0]:
        if abs(literal) not in assignments:
            return abs(literal), True
    return None, True
'''
"""For measuring the fixed cost of a run."""


def render(point: Mapping[str, Value]) -> str:
    """The source of `heuristic.py` for a point: only what its choices need.

    Args:
        point: a value for each axis of `FAMILY`; those that its rule leaves idle are not looked at.

    Raises:
        BadSpecification: when a live axis is missing or its value is not in the space.
    """
    choices = _check(point)
    rule, polarity = str(choices["rule"]), str(choices["polarity"])
    if rule == "random" and polarity == "true":
        return BASELINE
    preamble, pick = _pick(choices)
    value = _value(rule, polarity)
    helpers = [text for call, text in fragments.HELPERS.items() if call in pick + value]
    ties = f"; of equals the {choices['tie']} one" if "tie" in choices else ""
    title = (
        f'"""Branch on {fragments.TITLES[rule]}{ties}.\n\n'
        f'Try {fragments.VALUE_TITLES[polarity]} first.\n"""\n'
    )
    opening = "\n".join((title, *preamble))
    return "\n\n".join((opening, *helpers, fragments.HEAD + pick + value))


def _check(point: Mapping[str, Value]) -> dict[str, Value]:
    """The live axes of the point, each with a value of the space."""
    live: dict[str, Value] = {}
    for parameter in FAMILY.parameters:
        if any(live.get(name) not in allowed for name, allowed in parameter.only_if.items()):
            continue
        where = f"3-SAT heuristic, {parameter.name}"
        if parameter.name not in point:
            raise BadSpecification(where, "is missing; every axis that the rule uses needs a value")
        value = point[parameter.name]
        if parameter.choices:
            if value not in parameter.choices:
                allowed = ", ".join(map(str, parameter.choices))
                raise BadSpecification(where, f"{str(value)[:50]!r} is none of {allowed}")
        else:
            _check_number(parameter, value, where)
        live[parameter.name] = value
    return live


def _check_number(parameter: Parameter, value: Value, where: str) -> None:
    low, high = parameter.low, parameter.high
    number = not isinstance(value, (bool, str)) and (isinstance(value, int) or not parameter.integer)
    if low is None or high is None or not number or not low <= float(value) <= high:
        kind = "an integer" if parameter.integer else "a number"
        raise BadSpecification(where, f"{str(value)[:50]!r} is not {kind} from {low:g} to {high:g}")


def _pick(choices: Mapping[str, Value]) -> tuple[list[str], str]:
    """What stands at the head of the file, and the lines that choose the variable."""
    rule = str(choices["rule"])
    if rule == "random":
        return ["import random\n"], fragments.PICK_RANDOM
    if rule == "first":
        return [], fragments.PICK_FIRST
    if rule == "lookahead":
        return [], fragments.PICK_LOOKAHEAD
    score = fragments.SCORES[rule].format(
        moms_factor=2 ** int(choices.get("moms_k", 0)), balance=f"{float(choices.get('balance', 0)):g}"
    )
    if weight := float(choices.get("conflict_weight", 0)):
        score += f" + {weight:g} * conflict_count[candidate]"
    backwards, forwards = "range(len(conflict_count), 0, -1)", "range(1, len(conflict_count) + 1)"
    template = fragments.PICK_BEST_RECENT if choices["tie"] == "recent" else fragments.PICK_BEST
    best = template.format(candidates=backwards if choices["tie"] == "highest" else forwards, score=score)
    if rule == "moms":
        return [], fragments.COUNT_IN_SHORTEST + best
    if rule in _WEIGHTED:
        constant = (
            f"SHORT_CLAUSE_WEIGHT = {choices['base']:g}  # beside 1 for a clause with three free literals\n"
        )
        return [constant], fragments.SUM_WEIGHTS + best
    return [], fragments.COUNT_OCCURRENCES + best


def _value(rule: str, polarity: str) -> str:
    """The lines that choose the value. Scores that say it already are used again."""
    last = fragments.VALUES[polarity]
    if polarity == "true":
        return last
    by_weight = polarity in ("heavier", "lighter")
    if rule in (_WEIGHTED if by_weight else (*_COUNTED, "conflicts")):
        return fragments.REUSE_SCORES + last
    return (fragments.WEIGH_BOTH if by_weight else fragments.COUNT_BOTH) + last
