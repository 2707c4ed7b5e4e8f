"""What a role has gathered from the topics it watches: points, artefacts, scores, by node."""

from engine.messages import (
    AnyBody,
    ArtefactHash,
    Evidence,
    Hypothesis,
    NodeId,
    Patch,
    Point,
    Review,
    RunResult,
    Selection,
)


class Notebook:
    """Everything heard, each thing once however often it was heard."""

    def __init__(self) -> None:
        self.hypotheses: dict[NodeId, Hypothesis] = {}
        self.patches: dict[NodeId, Patch] = {}
        self.results: dict[NodeId, RunResult] = {}
        self.reviews: dict[NodeId, Review] = {}
        self.selected: NodeId | None = None
        """The node that stands, as far as was heard."""
        self._evidence: dict[ArtefactHash, Evidence] = {}
        self._points: dict[ArtefactHash, list[Point]] = {}

    def hear(self, body: AnyBody) -> None:
        """Take note of a message."""
        match body:
            case Hypothesis():
                self.hypotheses[body.node] = body
            case Patch():
                self.patches[body.node] = body
                if body.artefact is not None and body.point is not None:
                    self._add_point(body.artefact, body.point)
            case RunResult():
                self._hear_result(body)
            case Review():
                self.reviews[body.node] = body
            case Selection():
                self.selected = body.node
            case _:
                pass

    def point(self, node: NodeId) -> Point | None:
        """The point that a node stands for: what its code was made from, else what was proposed."""
        patch = self.patches.get(node)
        if patch is not None and patch.point is not None:
            return patch.point
        hypothesis = self.hypotheses.get(node)
        return None if hypothesis is None else hypothesis.point

    def scored(self) -> list[tuple[Point, Evidence]]:
        """Points with what is known of their worth, oldest artefact first; those with a leak left out.

        Several points may stand for one artefact, where an axis made no difference.
        """
        leaky = {self._artefact(node) for node in self._leaky()}
        return [
            (point, known)
            for artefact, known in self._evidence.items()
            if artefact not in leaky
            for point in self._points.get(artefact, ())
        ]

    def failed(self) -> list[Point]:
        """Points that are worth nothing: no artefact could be made of them, it earned no score, or only by a leak."""
        broken = [node for node, patch in self.patches.items() if patch.artefact is None]
        broken += [node for node, result in self.results.items() if result.evidence is None]
        broken += self._leaky()
        points = (self.point(node) for node in broken)
        return [point for point in points if point is not None]

    def pending(self) -> list[Point]:
        """Points proposed of which nothing came back yet."""
        done = set(self.results) | {node for node, patch in self.patches.items() if patch.artefact is None}
        points = (self.point(node) for node in self.hypotheses if node not in done)
        return [point for point in points if point is not None]

    def of_artefact(self, artefact: ArtefactHash) -> Evidence | None:
        """All that is known of an artefact's worth."""
        return self._evidence.get(artefact)

    def _leaky(self) -> list[NodeId]:
        """Nodes that a review has turned down because of how they came by their score."""
        return [
            node
            for node, review in self.reviews.items()
            if any(each.kind == "leak" for each in review.objections)
        ]

    def _artefact(self, node: NodeId) -> ArtefactHash | None:
        patch = self.patches.get(node)
        return None if patch is None else patch.artefact

    def _hear_result(self, result: RunResult) -> None:
        self.results[result.node] = result
        evidence = result.evidence
        if evidence is None:
            return
        known = self._evidence.get(evidence.artefact)
        if known is None or len(evidence.values) >= len(known.values):
            self._evidence[evidence.artefact] = evidence
        point = self.point(result.node)
        if point is not None:
            self._add_point(evidence.artefact, point)

    def _add_point(self, artefact: ArtefactHash, point: Point) -> None:
        points = self._points.setdefault(artefact, [])
        if point not in points:
            points.append(point)
