"""Pictures of the curves, by matplotlib (extra: viz)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.offline.arms import FULL
from benchmarks.offline.curves import Curve, by_arm
from benchmarks.offline.report import interval
from engine.errors import UserError
from engine.task import TaskCard


def picture(curves: Sequence[Curve], card: TaskCard, path: Path) -> None:
    """Mean final score against evaluations, a line an arm, with the band of its interval for the full team.

    Raises:
        UserError: without matplotlib, naming the extra.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("pictures need matplotlib; install the extra: pip install 'mlyceum[viz]'") from error
    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    axes = figure.subplots()
    styles = {"vacuous": "--", "absorbed": ":"}
    colours: dict[str, str] = {}
    for arm, of_arm in by_arm(curves).items():
        evaluations = np.array(of_arm[0].evaluations)
        finals = np.array([curve.finals for curve in of_arm])
        role = arm.partition(" (")[0]
        colour = colours.setdefault(role, f"C{len(colours) % 10}")
        style = next((s for sense, s in styles.items() if sense in arm), "-")
        width = 2.4 if arm == FULL.name else 1.3
        axes.plot(evaluations, finals.mean(axis=0), style, color=colour, lw=width, label=arm)
        if arm == FULL.name:
            bounds = np.array([interval(column) for column in finals.T])
            axes.fill_between(evaluations, bounds[:, 0], bounds[:, 1], color=colour, alpha=0.15, lw=0)
    if card.optimum is not None:
        axes.axhline(card.optimum, color="0.4", lw=0.8)
        axes.annotate("optimum", (1, card.optimum), fontsize=8, color="0.4", va="bottom")
    axes.axhline(card.baseline, color="0.6", lw=0.8, ls="-.")
    axes.annotate("baseline", (1, card.baseline), fontsize=8, color="0.4", va="bottom")
    seeds = len({curve.seed for curve in curves})
    axes.set(
        xlabel="feedback evaluations",
        ylabel=f"final {card.metric}",
        title=f"{card.id}: mean of {seeds} seeds",
    )
    axes.set_xscale("log")
    axes.set_xticks(list(curves[0].evaluations), [str(n) for n in curves[0].evaluations])
    axes.minorticks_off()
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    figure.savefig(path, metadata={"Date": None})
