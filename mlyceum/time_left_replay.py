"""How good the estimates of `mlyceum.time_left` would have been: a finished study, looked at whenever an episode ended.

``python -m mlyceum.time_left_replay DIR`` prints in how many looks the range held what the study's last run really took,
and the estimate over the truth. When an episode ended is told by the time of its journal, so that a copied folder must
have kept its files' times.
"""

import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.studies.study import read_study
from engine.errors import EngineError
from mlyceum.folders import EPISODES, JOURNAL, study_folder
from mlyceum.reading import read_results
from mlyceum.time_left import Ended, TimeLeft, time_left

WORTH_A_RATIO = 5.0
"""Seconds that must have been left, for a ratio to say anything."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate, and what came of it."""

    estimate: TimeLeft
    truth: float
    """Seconds."""

    @property
    def held(self) -> bool:
        """Whether the range holds the truth."""
        return self.estimate.low <= self.truth <= self.estimate.high


def looks(ended: list[Ended], *, began: float) -> list[Look]:
    """A look at each end of an episode of the last run, but the last one.

    Args:
        ended: every episode of the study.
        began: when the last run began, seconds since 1970.
    """
    own = sorted((each for each in ended if each.at > began), key=lambda each: each.at)
    earlier = [each for each in ended if each.at <= began]
    found: list[Look] = []
    for number in range(1, len(own)):
        now, rest = own[number - 1].at, own[number:]
        estimate = time_left(
            [*earlier, *own[:number]],
            waiting=Counter(each.cell for each in rest if each.at - each.seconds > now),
            running=[
                (each.cell, now - each.at + each.seconds) for each in rest if each.at - each.seconds <= now
            ],
            began=began,
            now=now,
        )
        if estimate is not None:
            found.append(Look(estimate=estimate, truth=own[-1].at - now))
    return found


def read_ended(study: Path) -> tuple[list[Ended], float]:
    """The ended episodes of a study, and when its last run began.

    Raises:
        RecordDamaged: when its files cannot be read.
    """
    ended = [
        Ended(
            (result.spec.task, result.spec.team.name),
            result.measured.seconds,
            (study / EPISODES / result.episode / JOURNAL).stat().st_mtime,
        )
        for result in read_results(study)
    ]
    return ended, datetime.fromisoformat(read_study(study).runs[-1].began).timestamp()


def main(arguments: list[str]) -> int:
    """Print the figures of each folder."""
    for name in arguments:
        try:
            ended, began = read_ended(study_folder(Path(name)))
        except EngineError as error:
            sys.stderr.write(f"{error}\n")
            return 2
        found = looks(ended, began=began)
        ratios = [look.estimate.seconds / look.truth for look in found if look.truth >= WORTH_A_RATIO]
        low, middle, high = np.quantile(ratios, (0.05, 0.5, 0.95)) if ratios else (np.nan,) * 3
        held = 100 * sum(look.held for look in found) / len(found) if found else float("nan")
        sys.stdout.write(
            f"{name}: {len(ended)} episodes, {len(found)} looks, range held {held:.0f} %, "
            f"estimate / truth {middle:.2f} ({low:.2f} to {high:.2f})\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
