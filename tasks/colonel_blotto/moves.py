"""What may be tried in Colonel Blotto: in plain soldiers ("default"), or with whole fields given up ("templates").

Both spaces hold the starter's way, a random scatter. The default one knows nothing of what makes an allocation
good: six numbers, a unit, a way of mixing. The other says the family in which people have found good ones. Broken
corners of both: more soldiers than there are, a jitter that takes from an empty field, a range upside down.
"""

from collections.abc import Callable
from typing import Final

from engine.messages import Point, Value
from engine.task import Moves, MoveSpace, Parameter
from tasks.move_space import check_point, defaults

FIELDS: Final = 6
SOLDIERS: Final = 120

_SCATTER: Final[dict[str, tuple[Value, ...]]] = {"plan": ("scatter",)}
_AXES_OF_SCATTER: Final = (
    Parameter(
        name="drops", low=1, high=10, integer=True, only_if=_SCATTER, note="at most so many random fields"
    ),
    Parameter(
        name="least", low=1, high=40, integer=True, only_if=_SCATTER, note="soldiers of a drop, at least"
    ),
    Parameter(
        name="most", low=1, high=60, integer=True, only_if=_SCATTER, note="soldiers of a drop, at most"
    ),
)
_ALLOCATION: Final[dict[str, tuple[Value, ...]]] = {"plan": ("allocation",)}

PLAIN: Final = MoveSpace(
    parameters=(
        Parameter(name="plan", choices=("scatter", "allocation")),
        *_AXES_OF_SCATTER,
        *(
            Parameter(name=f"field_{number}", low=0, high=45, integer=True, only_if=_ALLOCATION)
            for number in range(1, FIELDS + 1)
        ),
        Parameter(
            name="units",
            choices=("soldiers", "weights"),
            only_if=_ALLOCATION,
            note="what the fields' numbers are; weights are scaled to all 120 soldiers",
        ),
        Parameter(name="mixing", choices=("fixed", "shuffle", "jitter"), only_if=_ALLOCATION),
        Parameter(
            name="jitter",
            low=1,
            high=12,
            integer=True,
            only_if={**_ALLOCATION, "mixing": ("jitter",)},
            note="at most so many soldiers change fields each round",
        ),
        Parameter(
            name="clamp",
            choices=("yes", "no"),
            only_if={**_ALLOCATION, "mixing": ("jitter",)},
            note="never take more than a field has",
        ),
    )
)

_TEMPLATE: Final[dict[str, tuple[Value, ...]]] = {"plan": ("template",)}

TEMPLATES: Final = MoveSpace(
    parameters=(
        Parameter(name="plan", choices=("scatter", "template")),
        *_AXES_OF_SCATTER,
        Parameter(name="given_up", low=0, high=5, integer=True, only_if=_TEMPLATE, note="fields hardly held"),
        Parameter(
            name="token",
            low=0,
            high=4,
            integer=True,
            only_if={**_TEMPLATE, "given_up": (1, 2, 3, 4, 5)},
            note="soldiers in each of them",
        ),
        Parameter(name="split", choices=("even", "ramp", "one-strong", "random"), only_if=_TEMPLATE),
        Parameter(name="shuffle", choices=("no", "yes"), only_if=_TEMPLATE, note="fields in random order"),
        Parameter(name="jitter", low=0, high=12, integer=True, only_if=_TEMPLATE),
        Parameter(
            name="clamp",
            choices=("yes", "no"),
            only_if={**_TEMPLATE, "jitter": tuple(range(1, 13))},
            note="never take more than a field has",
        ),
    )
)

_START: Final[dict[str, Value]] = {"plan": "scatter", "drops": 6, "least": 10, "most": 30}

_HEAD = '''"""The row player of Colonel Blotto: `row_strategy` places at most 120 soldiers on 6 fields, once a round."""

import random

SOLDIERS = 120
FIELDS = 6
'''

_SCALED = '''

def scaled(weights):
    """The weights as soldiers: each field's share rounded down, what is left over on a random field."""
    total = sum(weights) or 1
    soldiers = [weight * SOLDIERS // total for weight in weights]
    soldiers[random.randrange(FIELDS)] += SOLDIERS - sum(soldiers)
    return soldiers
'''

_SIGNATURE = '''

def row_strategy(history):
    """history: the (own, other's) allocations of every round so far, oldest first."""
'''


class BlottoMoves:
    """One of the two spaces with its code; an `engine.task.Moves`."""

    def __init__(self, space: MoveSpace) -> None:
        self._space = space
        self._start = defaults(space, _START)

    @property
    def space(self) -> MoveSpace:
        """The axes."""
        return self._space

    def start(self) -> Point:
        """The starter's point."""
        return dict(self._start)

    def write(self, point: Point) -> dict[str, bytes]:
        """``strategy.py`` for a point.

        Raises:
            BadSpecification: when the point is not in the space.
        """
        check_point(self._space, point)
        body = _PLANS[str(point["plan"])](point)
        needs_scaled = any("scaled(" in line for line in body)
        source = (
            _HEAD + (_SCALED if needs_scaled else "") + _SIGNATURE + "".join(f"    {line}\n" for line in body)
        )
        return {"strategy.py": source.encode()}

    def repair(self, point: Point, problem: str) -> Point | None:
        """Scales what is too many, keeps a jitter within what a field has, turns a range the right way round."""
        if "soldiers placed" in problem and point.get("units") == "soldiers":
            return {**point, "units": "weights"}
        if "negative" in problem and point.get("clamp") == "no":
            return {**point, "clamp": "yes"}
        if "ValueError" in problem and point.get("plan") == "scatter":
            low, high = int(point["least"]), int(point["most"])
            return {**point, "least": min(high, low, 40), "most": max(low, high)} if low > high else None
        return None


def _scatter(point: Point) -> list[str]:
    return [
        "fields = [0] * FIELDS",
        f"for _ in range(random.randint(1, {point['drops']})):",
        f"    fields[random.randrange(FIELDS)] += random.randint({point['least']}, {point['most']})",
        "left = SOLDIERS - sum(fields)",
        "for field in range(FIELDS):",
        "    if left > 0 and fields[field] == 0:",
        "        fields[field] = random.randint(0, left)",
        "        left -= fields[field]",
        "return scaled(fields)",
    ]


def _allocation(point: Point) -> list[str]:
    numbers = [int(point[f"field_{number}"]) for number in range(1, FIELDS + 1)]
    soldiers = f"scaled({numbers})" if point["units"] == "weights" else f"{numbers}"
    if point["mixing"] == "fixed":
        return [f"return {soldiers}"]
    lines = [f"soldiers = {soldiers}"]
    if point["mixing"] == "shuffle":
        return [*lines, "random.shuffle(soldiers)", "return soldiers"]
    return [*lines, *_jitter(int(point["jitter"]), point["clamp"] == "yes"), "return soldiers"]


def _template(point: Point) -> list[str]:
    empty = [int(point.get("token", 0))] * int(point["given_up"])
    strong, left = FIELDS - len(empty), SOLDIERS - sum(empty)
    if point["split"] == "random":
        lines = [
            f"weights = [random.randint(1, 9) for _ in range({strong})]",
            f"soldiers = {empty} + [weight * {left} // sum(weights) for weight in weights]",
        ]
    else:
        lines = [f"soldiers = {empty + _split(str(point['split']), strong, left)}"]
    if point["jitter"]:
        lines += _jitter(int(point["jitter"]), point["clamp"] == "yes")
    if point["shuffle"] == "yes":
        lines += ["random.shuffle(soldiers)"]
    return [*lines, "return soldiers"]


def _split(kind: str, strong: int, soldiers: int) -> list[int]:
    weights = {
        "even": [1] * strong,
        "ramp": list(range(1, strong + 1)),
        "one-strong": [1] * (strong - 1) + [2],
    }[kind]
    shares = [weight * soldiers // sum(weights) for weight in weights]
    return [*shares[:-1], soldiers - sum(shares[:-1])]


def _jitter(most: int, clamp: bool) -> list[str]:
    moved = f"random.randint(0, {most})"
    return [
        "giver, taker = random.sample(range(FIELDS), 2)",
        f"moved = min({moved}, soldiers[giver])" if clamp else f"moved = {moved}",
        "soldiers[giver] -= moved",
        "soldiers[taker] += moved",
    ]


_PLANS: Final[dict[str, Callable[[Point], list[str]]]] = {
    "scatter": _scatter,
    "allocation": _allocation,
    "template": _template,
}

SPACES: dict[str, Moves] = {"default": BlottoMoves(PLAIN), "templates": BlottoMoves(TEMPLATES)}
