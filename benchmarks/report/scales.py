"""The scale on which scores of different tasks can be averaged: 0 is a task's baseline, 1 its reference, more is better."""

from dataclasses import dataclass

from benchmarks.normalised import normalised_score
from benchmarks.statistics.from_results import reference_of
from engine.errors import BadSpecification
from engine.task import ScoringProtocol, TaskCard


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Where a task's metric begins and ends.

    Attributes:
        card: of the task.
        baseline: of the protocol's own evaluation, on the task's metric.
        reference: what counts as 1; None where no fixed good score is known, and the task enters no mean.
        reference_is: ``optimum`` or ``best published``.
    """

    card: TaskCard
    baseline: float
    reference: float | None
    reference_is: str

    @property
    def is_calibration(self) -> bool:
        """Whether the task was made to check the statistics rather than to be solved."""
        return self.card.variant == "calibration"

    @property
    def counted_failure(self) -> float:
        """What an episode without a score counts as, on the task's metric: the floor, or the baseline."""
        return self.baseline if self.card.floor is None else self.card.floor

    @property
    def floor(self) -> float:
        """The same, normalised; 0 without a reference."""
        return self.normalise(self.counted_failure) or 0.0

    def normalise(self, score: float | None) -> float | None:
        """A score on this scale; None for a failure or without a reference."""
        if self.reference is None:
            return None
        return normalised_score(
            score, baseline=self.baseline, reference=self.reference, direction=self.card.direction
        )


def make_scale(card: TaskCard, protocol: ScoringProtocol) -> Scale:
    """The scale of a task under a protocol: up to the optimum, else to the best valid published score."""
    try:
        baseline, reference = reference_of(card, protocol)
    except BadSpecification:
        return Scale(card=card, baseline=card.baseline, reference=None, reference_is="none known")
    return Scale(
        card=card,
        baseline=baseline,
        reference=reference,
        reference_is="optimum" if reference == card.optimum else "best published",
    )
