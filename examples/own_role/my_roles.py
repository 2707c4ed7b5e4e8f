"""A reviewer of one's own: it accepts only what leads by a margin, and asks for one more look before it says no."""

import math

from engine.messages import RESULTS, REVIEW, Objection, Review

MARGIN = 1.5
"""Standard errors by which a challenger must lead."""


class Critic:
    """Accepts a result that leads the incumbent by `MARGIN` standard errors of the difference."""

    queue = REVIEW  # the requests that it serves
    topics = (RESULTS,)  # what it wants to hear of beside them

    def __init__(self, member):
        self.member = member
        self.direction = member.task.card.direction
        self.failures = 0
        self.looked_twice = set()

    def observe(self, body):
        """Called with everything that is published on one of its topics."""
        if body.failure:
            self.failures += 1

    async def answer(self, request):
        """Called with each request; what it returns goes back to whoever asked."""
        asked = request.body
        evidence, incumbent = asked.result.evidence, asked.incumbent
        if evidence is None:
            return self.review(asked, "reject", "bug", asked.result.failure or "it earned no score")
        if incumbent is None:
            return Review(node=asked.node, verdict="accept", confidence=0.6)
        lead = evidence.mean - incumbent.mean
        if self.direction == "min":
            lead = -lead
        error = math.hypot(evidence.standard_error, incumbent.standard_error)
        self.member.decide(
            "lead", f"node {asked.node}", rule=f"accept from {MARGIN} errors", candidates={"lead": lead}
        )
        if lead > MARGIN * error:
            return Review(node=asked.node, verdict="accept", confidence=0.9)
        if lead > 0 and asked.node not in self.looked_twice and asked.evaluations_left > 0:
            self.looked_twice.add(asked.node)
            return self.review(asked, "revise", "no-evidence", f"a lead of {lead:.3g} is inside the noise")
        return self.review(asked, "reject", "no-evidence", f"a lead of {lead:.3g} ± {error:.2g}")

    def review(self, asked, verdict, kind, text):
        """A verdict with one objection."""
        objection = Objection(kind=kind, text=text)
        return Review(node=asked.node, verdict=verdict, objections=(objection,), confidence=0.7)
