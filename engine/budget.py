"""What a scope may spend, and what was really spent: scopes nest (study, episode, member, call)."""

from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from engine.errors import BudgetExceeded

Axis: TypeAlias = Literal["evaluations", "tokens", "cost_usd", "steps", "device_seconds", "wall_seconds"]
AXES: tuple[Axis, ...] = ("evaluations", "tokens", "cost_usd", "steps", "device_seconds", "wall_seconds")


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Caps per axis; None is no cap."""

    evaluations: int | None = None
    tokens: int | None = None
    cost_usd: float | None = None
    steps: int | None = None
    device_seconds: float | None = None
    wall_seconds: float | None = None

    def limit(self, axis: Axis) -> float | None:
        """The cap on an axis."""
        limit: float | None = getattr(self, axis)
        return limit


class Scope:
    """A ledger with caps that also charges every scope around it.

    Charging is all or nothing: where any enclosing scope lacks room, nothing is charged anywhere.
    """

    def __init__(self, name: str, budget: Budget | None = None, *, parent: "Scope | None" = None) -> None:
        self.name, self.budget, self.parent = name, budget or Budget(), parent
        self._spent: dict[Axis, float] = dict.fromkeys(AXES, 0.0)

    def spent(self, axis: Axis) -> float:
        """What was charged on an axis so far."""
        return self._spent[axis]

    def left(self, axis: Axis) -> float:
        """What may still be spent on an axis, over all enclosing scopes; ``inf`` without a cap."""
        return min((limit - scope.spent(axis) for scope, limit in self._caps(axis)), default=float("inf"))

    def charge(self, axis: Axis, amount: float) -> None:
        """Spend ``amount``, or nothing.

        Raises:
            BudgetExceeded: when this scope or one around it lacks room.
        """
        self.require(axis, amount)
        self.record(axis, amount)

    def require(self, axis: Axis, amount: float) -> None:
        """Refuse what would go past a cap.

        Raises:
            BudgetExceeded: naming the tightest scope.
        """
        for scope, limit in self._caps(axis):
            if scope.spent(axis) + amount > limit * (1 + 1e-12):
                raise BudgetExceeded(
                    axis, scope=scope.name, asked=amount, spent=scope.spent(axis), limit=limit
                )

    def record(self, axis: Axis, amount: float) -> None:
        """Put down what was really spent, past a cap if it was so (a paid answer is paid for)."""
        for scope in self._around():
            scope._spent[axis] += amount  # noqa: SLF001 - scopes of one family

    def spending(self) -> dict[str, float]:
        """Everything spent, by axis; axes without spending are left out."""
        return {axis: amount for axis, amount in self._spent.items() if amount}

    def _around(self) -> Iterator["Scope"]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def _caps(self, axis: Axis) -> Iterator[tuple["Scope", float]]:
        for scope in self._around():
            limit = scope.budget.limit(axis)
            if limit is not None:
                yield scope, limit
