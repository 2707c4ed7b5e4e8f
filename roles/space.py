"""A move space as a researcher's mind needs it: points as rows of numbers, neighbours, uniform draws, repair.

A row holds one number per axis: for a numeric axis its place in [0, 1] (on a log scale where the axis says so), for
an axis with choices the index of the choice. Rows keep a value on every axis; `Space.live` says which of them count.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from engine.messages import Point, Value
from engine.task import MoveSpace, Parameter

Rows: TypeAlias = npt.NDArray[np.float64]
"""Shape ``(n, axes)``; a single row has shape ``(axes,)``."""
Mask: TypeAlias = npt.NDArray[np.bool_]

SIGNIFICANT = 4
"""Digits kept of a real number: finer steps than feedback can tell apart, and readable in code."""


class Space:
    """A compiled move space.

    Args:
        declared: the task's axes.
        start: a complete point of it: what an axis is when nobody has said otherwise.
    """

    def __init__(self, declared: MoveSpace, start: Point) -> None:
        self.axes: tuple[Parameter, ...] = declared.parameters
        self.names = tuple(axis.name for axis in self.axes)
        self._column = {name: column for column, name in enumerate(self.names)}
        self.start = start
        self.steps = np.array([_steps(axis) for axis in self.axes], dtype=np.float64)
        """Largest value in each column: index of the last choice, or 1."""
        self.nominal: Mask = np.array(
            [bool(axis.choices) and not axis.ordered for axis in self.axes], dtype=np.bool_
        )
        self._conditions = {
            column: tuple(
                (self._column[name], _places(self.axes[self._column[name]], values))
                for name, values in axis.only_if.items()
            )
            for column, axis in enumerate(self.axes)
            if axis.only_if
        }
        self._order = sorted(self._conditions, key=lambda column: (self._depth(column), column))
        opens = {name: sum(name in axis.only_if for axis in self.axes) for name in self.names}
        self.gates = tuple(axis.name for axis in self.axes if opens[axis.name] >= 2 and not axis.only_if)
        """Always live axes on which several others hang; their values name a family of ideas."""

    def __len__(self) -> int:
        return len(self.axes)

    def live(self, rows: Rows) -> Mask:
        """Which axes count in each row, shape ``(n, axes)``: their conditions hold on axes that are live themselves."""
        mask = np.ones(rows.shape, dtype=np.bool_)
        for column in self._order:
            alive = mask[:, column]
            for gate, places in self._conditions[column]:
                values = rows[:, gate]
                fits = values == places[0]
                for place in places[1:]:
                    fits |= values == place
                alive &= mask[:, gate] & fits
        return mask

    def _depth(self, column: int, limit: int = 32) -> int:
        """How long the chain of conditions above an axis is; gates come before what hangs on them."""
        gates = [gate for gate, _ in self._conditions.get(column, ())]
        return 0 if not gates or not limit else 1 + max(self._depth(gate, limit - 1) for gate in gates)

    def _is_live(self, row: Sequence[float]) -> list[bool]:
        """`live` for one row: plain numbers are quicker there."""
        mask = [True] * len(row)
        for column in self._order:
            mask[column] = all(
                mask[gate] and row[gate] in places for gate, places in self._conditions[column]
            )
        return mask

    def draw(self, rng: np.random.Generator, count: int) -> Rows:
        """Uniform draws, shape ``(count, axes)``: numeric axes by range (or its logarithm), choices with equal weight."""
        unit = rng.random((count, len(self.axes)))
        rows = unit.copy()
        for column, axis in enumerate(self.axes):
            if axis.choices:
                rows[:, column] = np.floor(unit[:, column] * len(axis.choices))
            else:
                rows[:, column] = [self._snap(axis, value) for value in unit[:, column]]
        return rows

    def row(self, point: Mapping[str, Value]) -> Rows:
        """The row of a point; axes that it lacks are as in the start point, values out of range go to the nearest."""
        values: list[float] = []
        for axis in self.axes:
            value = point.get(axis.name, self.start.get(axis.name))
            values.append(_place(axis, _first(axis) if value is None else value))
        return np.array(values)

    def point(self, row: Rows) -> Point:
        """The point of a row: live axes only."""
        values = row.tolist()
        live = self._is_live(values)
        return {
            axis.name: _value(axis, values[column]) for column, axis in enumerate(self.axes) if live[column]
        }

    def key(self, row: Rows) -> str:
        """A text that is equal for two rows exactly if their points are."""
        return msgspec.json.encode(self.point(row)).decode()

    def settle(
        self, wish: Mapping[str, object], *, base: Point | None = None
    ) -> tuple[Point, tuple[str, ...]]:
        """The nearest point of the space to a wish from outside, and what had to be changed, in words.

        Args:
            wish: axis to value, as a model wrote it: it may name unknown axes and hold any values.
            base: what axes without a wish are taken from; the start point without one.
        """
        changes: list[str] = [f"{name!r} is not an axis" for name in wish if name not in self._column]
        settled: dict[str, Value] = {**self.start, **(base or {})}
        for name, value in wish.items():
            if name not in self._column:
                continue
            axis = self.axes[self._column[name]]
            near = _nearest(axis, value)
            if near is None:
                changes.append(f"{name}: {str(value)[:40]!r} is not {allowed(axis)}")
                continue
            if near != value:
                changes.append(f"{name}: {str(value)[:40]} became {near}")
            settled[name] = near
        return self.point(self.row(settled)), tuple(changes)

    def around(self, row: Rows, rng: np.random.Generator, *, within_family: bool = False) -> Rows:
        """Every row that differs from this one on one live axis: all other choices, ends, near and far steps.

        Args:
            row: the middle.
            rng: draws the steps.
            within_family: leave the gates as they are.
        """
        moved: list[Rows] = []
        live = self.live(row[None, :])[0]
        for column, axis in enumerate(self.axes):
            if not live[column] or (within_family and axis.name in self.gates):
                continue
            for value in self._alternatives(axis, float(row[column]), rng):
                other = row.copy()
                other[column] = value
                moved.append(other)
        return np.array(moved) if moved else np.empty((0, len(self.axes)))

    def beside(self, row: Rows) -> Rows:
        """Every row one step away on one live axis, within the family: the next whole number, any other choice.

        Real axes have no next value and are left alone; an ordered choice steps to its neighbours.
        """
        moved: list[Rows] = []
        live = self.live(row[None, :])[0]
        for column, axis in enumerate(self.axes):
            if not live[column] or axis.name in self.gates:
                continue
            for value in _next_to(axis, float(row[column])):
                other = row.copy()
                other[column] = value
                moved.append(other)
        return np.array(moved) if moved else np.empty((0, len(self.axes)))

    def family(self, point: Mapping[str, Value]) -> str:
        """The values of the live gates: two points of one family have the same live axes."""
        return ", ".join(f"{name}={point[name]}" for name in self.gates if name in point)

    def changed(self, old: Mapping[str, Value], new: Mapping[str, Value]) -> tuple[str, ...]:
        """Axes on which two points differ, in the order of the space."""
        before, after = self.point(self.row(old)), self.point(self.row(new))
        return tuple(name for name in self.names if before.get(name) != after.get(name))

    def describe(self) -> str:
        """The axes as lines of text, for a model or a person."""
        return "\n".join(f"- {axis.name}: {allowed(axis)}{_when(axis)}{_note(axis)}" for axis in self.axes)

    def _alternatives(self, axis: Parameter, place: float, rng: np.random.Generator) -> list[float]:
        if axis.choices:
            return [float(index) for index in range(len(axis.choices)) if index != place]
        near, far = rng.normal(0.0, 0.05), rng.normal(0.0, 0.2)
        tried = (0.0, 1.0, place + near, place - near, place + far, place - far, rng.random())
        snapped = {self._snap(axis, min(max(value, 0.0), 1.0)) for value in tried}
        return sorted(snapped - {place})

    def _snap(self, axis: Parameter, place: float) -> float:
        return _place(axis, _value(axis, place))


def _next_to(axis: Parameter, place: float) -> list[float]:
    """The places one step from this one, on an axis that has steps."""
    if axis.choices:
        others = range(len(axis.choices))
        return [
            float(each) for each in others if each != place and (not axis.ordered or abs(each - place) == 1)
        ]
    if not axis.integer:
        return []
    value = round(float(_value(axis, place)))
    return [_place(axis, each) for each in (value - 1, value + 1) if _low(axis) <= each <= _high(axis)]


def allowed(axis: Parameter) -> str:
    """What an axis may be, in words."""
    if axis.choices:
        return f"one of {', '.join(map(str, axis.choices))}"
    kind = "an integer" if axis.integer else "a number"
    return f"{kind} from {_low(axis):g} to {_high(axis):g}{' (log scale)' if axis.log else ''}"


def _when(axis: Parameter) -> str:
    conditions = [f"{name} is {' or '.join(map(str, values))}" for name, values in axis.only_if.items()]
    return f"; only if {' and '.join(conditions)}" if conditions else ""


def _note(axis: Parameter) -> str:
    return f" ({axis.note})" if axis.note else ""


def _steps(axis: Parameter) -> float:
    return float(max(1, len(axis.choices) - 1)) if axis.choices else 1.0


def _places(axis: Parameter, values: Sequence[Value]) -> list[float]:
    """Where on an axis the given values lie."""
    if axis.choices:
        return [float(index) for index, choice in enumerate(axis.choices) if choice in values]
    return [_place(axis, value) for value in values]


def _low(axis: Parameter) -> float:
    return 0.0 if axis.low is None else axis.low


def _high(axis: Parameter) -> float:
    return 1.0 if axis.high is None else axis.high


def _first(axis: Parameter) -> Value:
    return axis.choices[0] if axis.choices else _low(axis)


def _place(axis: Parameter, value: Value) -> float:
    if axis.choices:
        return float(axis.choices.index(value)) if value in axis.choices else 0.0
    low, high = _low(axis), _high(axis)
    number = min(max(float(value), low), high)
    if high <= low:
        return 0.0
    if axis.log:
        return (math.log(number) - math.log(low)) / (math.log(high) - math.log(low))
    return (number - low) / (high - low)


def _value(axis: Parameter, place: float) -> Value:
    if axis.choices:
        return axis.choices[int(place)]
    low, high = _low(axis), _high(axis)
    number = low * (high / low) ** place if axis.log else low + place * (high - low)
    if axis.integer:
        return round(number)
    return min(max(float(f"{number:.{SIGNIFICANT}g}"), low), high)


def _nearest(axis: Parameter, value: object) -> Value | None:
    """A value of the axis for one from outside; None where there is no sensible one."""
    if axis.choices:
        exact = [choice for choice in axis.choices if type(choice) is type(value) and choice == value]
        spelt = [choice for choice in axis.choices if str(choice).lower() == str(value).strip().lower()]
        found: Sequence[Value] = exact or spelt
        if not found and axis.ordered and isinstance(value, int | float) and not isinstance(value, bool):
            numbers = [choice for choice in axis.choices if isinstance(choice, int | float)]
            found = sorted(numbers, key=lambda choice: abs(choice - value))[:1]
        return found[0] if found else None
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    number = min(max(number, _low(axis)), _high(axis))
    return round(number) if axis.integer else number
