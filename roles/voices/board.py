"""What a member has heard, put together: worths by node, yields by operator, how predictions held, what broke."""

import math

from engine.messages import (
    AnyBody,
    Argument,
    ArtefactHash,
    Evidence,
    Hypothesis,
    NodeId,
    Operator,
    Patch,
    Point,
    WorkOrder,
)
from engine.task import Direction, Task
from roles.evidence import signed
from roles.offline.notebook import Notebook
from roles.tree import STARTER
from roles.worth import Belief, predictive, spread


class Board:
    """A notebook with opinions asked of it. Hearing something twice does no harm.

    Worths are scores turned so that more is better; gains are differences of worths.
    """

    def __init__(self, task: Task) -> None:
        card = task.card
        self.book = Notebook()
        self.direction: Direction = card.direction
        self.baseline = signed(card.baseline, card.direction)
        self.arguments: dict[tuple[NodeId, str], dict[str, Argument]] = {}
        """By motion (its node and question) and by function."""
        self._mended: set[NodeId] = set()
        self._error = card.feedback_standard_error or 0.1 * abs(card.baseline) or 1e-6

    def hear(self, body: AnyBody) -> None:
        """Take note of a message."""
        match body:
            case Argument():
                self.arguments.setdefault((body.node, body.question), {})[body.function] = body
            case WorkOrder():
                self.book.hear(body.hypothesis)  # a mending has no other author
                if body.operator == "debug":
                    self._mended.update(body.hypothesis.parents)
            case _:
                self.book.hear(body)

    # -- worths -----------------------------------------------------------------------------------------------------

    def evidence(self, node: NodeId) -> Evidence | None:
        """All that was heard of a node's artefact."""
        artefact = self._artefact(node)
        return None if artefact is None else self.book.of_artefact(artefact)

    def worth(self, node: NodeId) -> float | None:
        """A node's mean; the starter's is its baseline until it is measured."""
        known = self.evidence(node)
        if known is not None:
            return signed(known.mean, self.direction)
        return self.baseline if node == STARTER else None

    def measured(self) -> list[NodeId]:
        """Nodes with a score, one for each artefact, best first."""
        leaky = {self._artefact(node) for node in self.leaks()}
        nodes: dict[ArtefactHash, NodeId] = {}
        for node in sorted(self.book.results):
            known = self.evidence(node)
            if known is not None and known.artefact not in leaky:
                nodes.setdefault(known.artefact, node)
        return sorted(nodes.values(), key=lambda node: (-(self.worth(node) or 0.0), node))

    def standing(self) -> NodeId:
        """The node that stands, as far as was heard."""
        return STARTER if self.book.selected is None else self.book.selected

    def best(self) -> float:
        """The worth of what stands."""
        worth = self.worth(self.standing())
        return self.baseline if worth is None else worth

    def spread(self) -> float:
        """How far worths lie apart, and not less than the noise of one score."""
        worths = [self.worth(node) or 0.0 for node in self.measured()]
        return spread([self.baseline, *worths], least=self._error)

    def leaks(self) -> list[NodeId]:
        """Nodes that a review has turned down because of how they came by their score."""
        return [
            node
            for node, review in self.book.reviews.items()
            if any(each.kind == "leak" for each in review.objections)
        ]

    # -- what came of what --------------------------------------------------------------------------------------------

    def outcome(self, operator: Operator) -> Belief:
        """The next outcome of an operator: for ``draft`` a worth, else what it adds to its parent's."""
        outcomes: list[float] = []
        for node in sorted(self.book.results):
            idea, worth = self.book.hypotheses.get(node), self.worth(node)
            if idea is None or idea.operator != operator or worth is None:
                continue
            parents = [known for parent in idea.parents if (known := self.worth(parent)) is not None]
            outcomes.append(worth - (max(parents) if parents and operator != "draft" else 0.0))
        mean = self.baseline if operator == "draft" else 0.0
        return predictive(outcomes, prior=Belief(mean, self.spread()))

    def record(self, *, operator: Operator | None = None, family: str | None = None) -> tuple[int, int]:
        """How many nodes earned a score and how many broke, of an operator or a family, or of all."""
        good = bad = 0
        for node, idea in self.book.hypotheses.items():
            is_meant = operator in (None, idea.operator) and family in (None, idea.family)
            if is_meant and self.is_broken(node):
                bad += 1
            elif is_meant and self.evidence(node) is not None:
                good += 1
        return good, bad

    def is_broken(self, node: NodeId) -> bool:
        """Whether a node has no code that runs, or none that earns a score."""
        patch, result = self.book.patches.get(node), self.book.results.get(node)
        return (patch is not None and patch.artefact is None) or (
            result is not None and result.evidence is None
        )

    def broken(self) -> list[NodeId]:
        """Broken nodes that nobody was asked to mend, as far as was heard; the latest first."""
        mendings = {node for node, idea in self.book.hypotheses.items() if idea.operator == "debug"}
        return [
            node
            for node in sorted(self.book.hypotheses, reverse=True)
            if self.is_broken(node) and node not in self._mended and node not in mendings
        ]

    def under_way(self, parent: NodeId) -> int:
        """How many nodes that start from this one have brought nothing yet."""
        return sum(
            parent in idea.parents and node not in self.book.results and not self.is_broken(node)
            for node, idea in self.book.hypotheses.items()
        )

    def misses(self) -> list[float]:
        """By how much outcomes lay above their predictions."""
        found: list[float] = []
        for node, idea in self.book.hypotheses.items():
            known = self.book.results.get(node)
            if idea.predicted is not None and known is not None and known.evidence is not None:
                found.append(signed(known.evidence.mean - idea.predicted, self.direction))
        return found

    def twin(self, idea: Hypothesis) -> NodeId | None:
        """A node that stood for the same point, and of which something is known."""
        if idea.point is None:
            return None
        for node in sorted(self.book.hypotheses):
            is_known = self.evidence(node) is not None or self.is_broken(node)
            if node != idea.node and is_known and self.book.point(node) == idea.point:
                return node
        return None

    def nearest(self, point: Point) -> tuple[list[NodeId], int] | None:
        """The measured nodes whose points differ from this one on the fewest axes, and on how many."""
        apart: dict[NodeId, int] = {}
        for node in self.measured():
            other = self.book.point(node)
            if other is not None:
                apart[node] = sum(point.get(name) != other.get(name) for name in {*point, *other})
        if not apart:
            return None
        least = min(apart.values())
        return [node for node, axes in apart.items() if axes == least], least

    def _artefact(self, node: NodeId) -> ArtefactHash | None:
        patch: Patch | None = self.book.patches.get(node)
        if patch is not None:
            return patch.artefact
        result = self.book.results.get(node)
        return None if result is None or result.evidence is None else result.evidence.artefact


def mean(values: list[float]) -> float:
    """The mean of values, at least one."""
    return math.fsum(values) / len(values)
