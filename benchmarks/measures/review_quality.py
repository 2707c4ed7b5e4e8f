"""How good reviews are, once rejected work was run anyway: precision, recall and what a sample can say of them."""

from collections.abc import Sequence

import msgspec


class JudgedReview(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict on a node, and what its artefact turned out to be worth beside the incumbent of that time."""

    episode: str
    task: str
    arm: str
    node: int
    accepted: bool
    candidate: float | None
    """Final score of the node's artefact; None: it earned none."""
    incumbent: float | None
    """Final score of what stood when the verdict was given."""
    is_better: bool
    """Whether the candidate's final score is better than the incumbent's; a tie is not better."""
    weight: float
    """One over the probability with which such a verdict came into the sample."""


class ReviewQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts beside final scores that the team never saw."""

    accepted: int
    """Audited."""
    rejected: int
    """Audited: a sample."""
    rejected_in_all: float
    """Estimated from the sample's weights."""
    precision: float | None
    """Of accepted artefacts, the share that was really better than what stood; None where none was accepted."""
    recall: float | None
    """Of artefacts that were really better, the share that was accepted; None where none was better."""
    specificity: float | None
    """Of artefacts that were really no better, the share that was rejected; None where all were better."""
    rejected_gain: float | None
    """Mean final score of rejected candidates less that of what stood, on the task's metric; None without scores."""


def review_quality(reviews: Sequence[JudgedReview]) -> ReviewQuality:
    """Precision and recall of reviews (van Rijsbergen 1979), with rejected work weighted by its sampling probability.

    The weighting is that of Horvitz & Thompson (1952): a sum over a sample, each item over its probability, estimates
    the sum over all. Accepted work is audited whole and has weight 1.
    """
    good = sum(r.weight for r in reviews if r.accepted and r.is_better)
    accepted = sum(r.weight for r in reviews if r.accepted)
    missed = sum(r.weight for r in reviews if not r.accepted and r.is_better)
    rejected = sum(r.weight for r in reviews if not r.accepted)
    bad = (accepted - good) + (rejected - missed)
    gains = [
        (r.weight, r.candidate - r.incumbent)
        for r in reviews
        if not r.accepted and r.candidate is not None and r.incumbent is not None
    ]
    total = sum(weight for weight, _ in gains)
    return ReviewQuality(
        accepted=sum(r.accepted for r in reviews),
        rejected=sum(not r.accepted for r in reviews),
        rejected_in_all=rejected,
        precision=good / accepted if accepted else None,
        recall=good / (good + missed) if good + missed else None,
        specificity=(rejected - missed) / bad if bad else None,
        rejected_gain=sum(weight * gain for weight, gain in gains) / total if total else None,
    )
