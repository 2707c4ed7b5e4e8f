"""Whether reviewers and evidence say the same: at the time of the verdict, and in the light of all that came later."""

from collections.abc import Iterable, Sequence
from statistics import fmean

import msgspec

from benchmarks.measures.episode_record import EpisodeRecord
from engine.messages import ArtefactHash, Evidence, Review, ReviewRequest
from engine.task import Direction


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts (accept or reject) held against what was predicted and measured."""

    verdicts: int
    """Final verdicts: the last review of each request that is not ``revise``."""
    revisions: int
    """Reviews that asked for more evidence."""
    compared: int
    """Verdicts on a result that had evidence, with an incumbent that had some."""
    with_evidence: float | None
    """Share of those that accept exactly what has the better mean at that time."""
    with_evidence_kappa: float | None
    """The same, corrected for chance; None where one side never differs."""
    with_later_evidence: float | None
    """Share that accept exactly what has the better mean over all feedback of the episode."""
    with_prediction: float | None
    """Share that accept exactly what its author predicted to be better than the incumbent."""
    predictions_judged: int
    """Reviews that call the prediction confirmed or refuted."""
    predictions_upheld: float | None
    """Share of those that hold with all feedback of the episode: within 2 standard errors of the mean, or beyond."""


def agreement(record: EpisodeRecord) -> Agreement:
    """Agreement of reviews with evidence, as raw shares and as kappa (Cohen 1960).

    Every share is None where nothing was there to compare.
    """
    direction = record.direction or "max"
    feedback = record.feedback()
    requests = {m.seq: m.body for m in record.messages if isinstance(m.body, ReviewRequest)}
    pairs = [
        (requests[m.cause], m.body)
        for m in record.messages
        if isinstance(m.body, Review) and m.cause in requests
    ]
    final = [(asked, review) for asked, review in pairs if review.verdict != "revise"]
    then: list[tuple[bool, bool]] = []
    later: list[tuple[bool, bool]] = []
    predicted: list[tuple[bool, bool]] = []
    for asked, review in final:
        candidate, incumbent = asked.result.evidence, asked.incumbent
        if candidate is None or incumbent is None:
            continue
        accepts = review.verdict == "accept"
        then.append((accepts, _is_better(candidate.mean, incumbent.mean, direction)))
        ends = (_final_mean(candidate, feedback), _final_mean(incumbent, feedback))
        later.append((accepts, _is_better(*ends, direction)))
        if asked.hypothesis.predicted is not None:
            predicted.append((accepts, _is_better(asked.hypothesis.predicted, incumbent.mean, direction)))
    upheld = list(_upheld(pairs, feedback))
    return Agreement(
        verdicts=len(final),
        revisions=len(pairs) - len(final),
        compared=len(then),
        with_evidence=_share(then),
        with_evidence_kappa=cohen_kappa(then),
        with_later_evidence=_share(later),
        with_prediction=_share(predicted),
        predictions_judged=len(upheld),
        predictions_upheld=fmean(upheld) if upheld else None,
    )


def cohen_kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Agreement of two raters on yes or no, corrected for chance: (p_o - p_e) / (1 - p_e) (Cohen 1960, equation 1).

    None without pairs, and where chance alone agrees always (both raters say one thing only).
    """
    if not pairs:
        return None
    n = len(pairs)
    first, second = (sum(pair[side] for pair in pairs) / n for side in (0, 1))
    chance = first * second + (1 - first) * (1 - second)
    observed = sum(a == b for a, b in pairs) / n
    return (observed - chance) / (1 - chance) if chance < 1 else None


def _upheld(
    pairs: Iterable[tuple[ReviewRequest, Review]], feedback: dict[ArtefactHash, tuple[float, ...]]
) -> Iterable[bool]:
    for asked, review in pairs:
        evidence, predicted = asked.result.evidence, asked.hypothesis.predicted
        if review.prediction == "open" or evidence is None or predicted is None:
            continue
        values = feedback.get(evidence.artefact, evidence.values)
        # One reading's error is the same however often it is taken; that of the mean falls with the readings.
        single = evidence.standard_error * len(evidence.values) ** 0.5 if evidence.values else 0.0
        error = single / max(1, len(values)) ** 0.5
        if error > 0:
            holds = abs(_final_mean(evidence, feedback) - predicted) <= 2 * error
            yield holds == (review.prediction == "confirmed")


def _final_mean(evidence: Evidence, feedback: dict[ArtefactHash, tuple[float, ...]]) -> float:
    values = feedback.get(evidence.artefact)
    return fmean(values) if values else evidence.mean


def _is_better(value: float, other: float, direction: Direction) -> bool:
    return value > other if direction == "max" else value < other


def _share(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    return sum(a == b for a, b in pairs) / len(pairs) if pairs else None
