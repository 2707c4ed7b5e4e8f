"""The report's pictures as Vega-Lite: areas, profiles, cost, endings, actions, and how the ranking moves."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.published.actions import ActionRow, StepRow
from benchmarks.published.behaviour import KINDS
from benchmarks.published.costs import CostRow
from benchmarks.published.exits import ENDINGS, ExitRow
from benchmarks.published.sheets import title_of
from benchmarks.published.views import Profile, RankShift, View
from benchmarks.reference import reference

Spec = dict[str, object]
INK: Final = "#1b1f24"
FAINT: Final = "#d0d7de"
GREY: Final = "#6e7781"
BLUE: Final = "#0072b2"
ORANGE: Final = "#d55e00"
_KIND_COLOURS: Final = (
    "#0072b2",
    "#56b4e9",
    "#cc79a7",
    "#999999",
    "#009e73",
    "#e69f00",
    "#d55e00",
    "#1b1f24",
)
_ENDING_COLOURS: Final = ("#009e73", "#56b4e9", "#e69f00", "#d55e00", "#1b1f24", "#bbbbbb")
"""Okabe & Ito 2008, in the order of `exits.ENDINGS` and `behaviour.KINDS`."""
ATTEMPT, SUBMISSION = "best attempt", "best submission"
_PAIR: Final[Spec] = {"domain": [ATTEMPT, SUBMISSION], "range": [BLUE, ORANGE]}


def aup_figure(view: View) -> Spec:
    """Both areas of every method, best attempt from top to bottom."""
    boards = ((ATTEMPT, view.best_attempt), (SUBMISSION, view.best_submission))
    values = [
        {"method": title_of(method), "kind": kind, "aup": area}
        for kind, board in boards
        for method, area in board.aup.items()
    ]
    order = [title_of(m) for m in sorted(view.best_attempt.aup, key=lambda m: -view.best_attempt.aup[m])]
    y = {"field": "method", "type": "nominal", "sort": order, "title": None, "axis": {"grid": True}}
    x = {
        "field": "aup", "type": "quantitative", "scale": {"zero": False, "nice": True},
        "title": f"area under the profile (at most {view.best_attempt.t_max:g})", "axis": {"tickCount": 7},
    }  # fmt: skip
    return _whole(
        width=460,
        height={"step": 22},
        data={"values": values},
        layer=[
            {
                "mark": {"type": "rule", "color": GREY},
                "encoding": {
                    "y": y,
                    "x": {**x, "aggregate": "min"},
                    "x2": {"field": "aup", "aggregate": "max"},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1},
                "encoding": {"y": y, "x": x, "color": _kind(), "shape": _kind(shape=True)},
            },
        ],
    )


def profile_figure(profiles: Sequence[Profile], order: Sequence[str]) -> Spec:
    """A panel a method: its two profiles over those of all others in grey."""
    titles = [title_of(method) for method in order]
    own: list[Spec] = [
        {"panel": title_of(p.method), "kind": p.kind, "t": t, "share": share}
        for p in profiles
        for t, share in p.points
    ]
    behind: list[Spec] = [
        {"panel": title, "other": p.method, "t": t, "share": share}
        for title in titles
        for p in profiles
        if p.kind == ATTEMPT
        for t, share in p.points
    ]
    x = {
        "field": "t",
        "type": "quantitative",
        "title": "log10 of ratio to the best",
        "scale": {"nice": False},
        "axis": {"tickCount": 4},
    }
    y = {
        "field": "share",
        "type": "quantitative",
        "title": "share of tasks",
        "scale": {"domain": [0, 1]},
        "axis": {"tickCount": 3},
    }
    header = {"labelFontSize": 11, "labelFontWeight": 600, "labelAnchor": "start"}
    thin: Spec = {"type": "line", "interpolate": "step-after", "strokeWidth": 0.8, "color": FAINT}
    thick: Spec = {"type": "line", "interpolate": "step-after", "strokeWidth": 2}
    return _whole(
        data={"values": [*behind, *own]},
        facet={"field": "panel", "type": "nominal", "sort": titles, "title": None, "header": header},
        columns=4,
        spec={
            "width": 150,
            "height": 100,
            "layer": [
                {
                    "transform": [{"filter": "isValid(datum.other)"}],
                    "mark": thin,
                    "encoding": {"x": x, "y": y, "detail": {"field": "other"}},
                },
                {
                    "transform": [{"filter": "!isValid(datum.other)"}],
                    "mark": thick,
                    "encoding": {"x": x, "y": y, "color": _kind()},
                },
            ],
        },
    )


def cost_figure(rows: Sequence[CostRow]) -> Spec:
    """Area of best attempt against the listed cost of a run, on a log axis; each model by its name."""
    points = [
        (title_of(row.method), row.listed_cost_usd, row.best_attempt_aup)
        for row in rows
        if row.listed_cost_usd and row.best_attempt_aup is not None
    ]
    x = {
        "field": "cost",
        "type": "quantitative",
        "title": "USD a run, from tokens and MLGym's prices (log scale)",
        "scale": {"type": "log", "nice": False, "padding": 80},
        "axis": {"values": [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10], "format": "~g"},
    }
    y = {
        "field": "aup",
        "type": "quantitative",
        "title": "area under the profile, best attempt",
        "scale": {"zero": False, "padding": 14},
    }
    sides = (
        ("right", "left", 8, 0),
        ("left", "right", -8, 0),
        ("above", "center", 0, -11),
        ("below", "center", 0, 13),
    )
    names = [
        {
            "transform": [{"filter": f"datum.side === '{side}'"}],
            "mark": {"type": "text", "align": align, "dx": dx, "dy": dy, "fontSize": 11, "color": INK},
            "encoding": {"x": x, "y": y, "text": {"field": "method", "type": "nominal"}},
        }
        for side, align, dx, dy in sides
    ]
    dots = {"type": "point", "filled": True, "size": 70, "opacity": 1, "color": BLUE}
    return _whole(
        width=560,
        height=330,
        data={"values": _beside(points, 560, 330)},
        layer=[{"mark": dots, "encoding": {"x": x, "y": y}}, *names],
    )


def exit_figure(rows: Sequence[ExitRow], *, first: str) -> Spec:
    """How runs ended, a bar each."""
    values = [
        {"name": _name(row.name), "ending": ending, "place": place, "runs": row.endings[ending]}
        for row in rows
        for place, ending in enumerate(ENDINGS)
    ]
    return _bars(
        values,
        order=[_name(row.name) for row in rows],
        field="ending",
        domain=ENDINGS,
        colours=_ENDING_COLOURS,
        x={
            "field": "runs",
            "type": "quantitative",
            "title": f"runs of each {first}",
            "stack": "zero",
            "scale": {"nice": False},
        },
    )


def action_figure(rows: Sequence[ActionRow], *, first: str) -> Spec:
    """Mean steps of a run by kind, a bar each."""
    values = [
        {"name": _name(row.name), "kind": kind, "place": place, "steps": row.counts[kind] / row.runs}
        for row in rows
        for place, kind in enumerate(KINDS)
    ]
    return _bars(
        values,
        order=[_name(row.name) for row in rows],
        field="kind",
        domain=KINDS,
        colours=_KIND_COLOURS,
        x={
            "field": "steps",
            "type": "quantitative",
            "title": f"mean steps of a run, by {first}",
            "stack": "zero",
        },
    )


def step_figure(rows: Sequence[StepRow]) -> Spec:
    """Actions at each step: runs of each kind, stacked; the height is how many runs came so far."""
    values = [
        {"step": row.step, "kind": kind, "place": place, "runs": row.counts[kind]}
        for row in rows
        for place, kind in enumerate(KINDS)
    ]
    ticks = {"values": [1, *range(5, 51, 5)], "labelAngle": 0}
    return _whole(
        width=620,
        height=260,
        data={"values": values},
        mark={"type": "bar", "width": {"band": 1}},
        encoding={
            "x": {"field": "step", "type": "ordinal", "title": "step", "axis": ticks},
            "y": {"field": "runs", "type": "quantitative", "title": "runs", "stack": "zero"},
            "color": _colour("kind", KINDS, _KIND_COLOURS),
            "order": {"field": "place", "type": "quantitative"},
        },
    )  # fmt: skip


def ranking_figure(shifts: Sequence[RankShift]) -> Spec:
    """Places in each view, a line a method; those that move are drawn strong."""
    views = list(shifts[0].place) if shifts else []
    last = len(views) - 1
    values = [
        {"method": title_of(s.method), "at": at, "place": s.place[view], "moves": _moves(s, views)}
        for s in shifts
        for at, view in enumerate(views)
    ]
    x = {
        "field": "at",
        "type": "quantitative",
        "scale": {"domain": [-0.9, last + 0.9]},
        "title": None,
        "axis": {
            "values": list(range(len(views))),
            "labelExpr": f"{views}[datum.value]",
            "grid": False,
            "orient": "top",
            "domain": False,
            "ticks": False,
        },
    }
    y = {
        "field": "place",
        "type": "quantitative",
        "scale": {"reverse": True, "domain": [0.5, len(shifts) + 0.5], "nice": False},
        "axis": None,
    }
    colour = {
        "field": "moves",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["up", "down", "stays"], "range": [BLUE, ORANGE, GREY]},
    }
    # Where several share a place, one label names them all.
    names = [
        {
            "transform": [
                {"filter": f"datum.at === {at}"},
                {"aggregate": [{"op": "values", "as": "who"}], "groupby": ["at", "place", "moves"]},
                {"calculate": f"datum.place + '. ' + {_WHO}", "as": "said"},
            ],
            "mark": {"type": "text", "align": align, "dx": dx, "fontSize": 11},
            "encoding": {"x": x, "y": y, "color": colour, "text": {"field": "said", "type": "nominal"}},
        }
        for align, at, dx in (("right", 0, -10), ("left", last, 10))
    ]
    line = {"type": "line", "point": {"filled": True, "size": 50}, "strokeWidth": 2}
    return _whole(
        width=560,
        height=330,
        data={"values": values},
        layer=[
            {"mark": line, "encoding": {"x": x, "y": y, "color": colour, "detail": {"field": "method"}}},
            *names,
        ],
    )


_WHO: Final = "join(pluck(datum.who, 'method'), ', ')"


def _moves(shift: RankShift, views: Sequence[str]) -> str:
    change = shift.place[views[-1]] - shift.place[views[0]]
    return "up" if change < 0 else "down" if change > 0 else "stays"


def _bars(
    values: Sequence[Mapping[str, object]],
    *,
    order: Sequence[str],
    field: str,
    domain: Sequence[str],
    colours: Sequence[str],
    x: Spec,
) -> Spec:
    return _whole(
        width=480,
        height={"step": 22},
        data={"values": list(values)},
        mark={"type": "bar", "height": {"band": 0.78}},
        encoding={
            "y": {"field": "name", "type": "nominal", "sort": list(order), "title": None},
            "x": x,
            "color": _colour(field, domain, colours),
            "order": {"field": "place", "type": "quantitative"},
        },
    )


def _colour(field: str, domain: Sequence[str], colours: Sequence[str]) -> Spec:
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(domain), "range": list(colours)},
        "legend": {"orient": "bottom", "columns": 4},
    }


def _kind(*, shape: bool = False) -> Spec:
    scale = {**_PAIR, "range": ["circle", "square"]} if shape else _PAIR
    return {"field": "kind", "type": "nominal", "title": None, "scale": scale, "legend": {"orient": "bottom"}}


_SIDES: Final = {"right": (8, 0.0), "left": (-8, 1.0), "above": (0, 0.5), "below": (0, 0.5)}
"""Where a label may stand: shift in points, and which part of its width lies left of the point."""


def _beside(points: Sequence[tuple[str, float, float]], width: int, height: int) -> list[Spec]:
    """Where each name stands beside its point, so that none covers a point or another name.

    Args:
        points: (name, cost, area).
        width: of the plot, in points.
        height: of the plot, in points.
    """
    logs, areas = [math.log(cost) for _, cost, _ in points], [area for *_, area in points]
    across, up = (max(max(each) - min(each), 1e-9) for each in (logs, areas))
    spots = [
        ((log - min(logs)) / across * width * 0.8, (area - min(areas)) / up * height * 0.9)
        for log, area in zip(logs, areas, strict=True)
    ]
    taken: list[tuple[float, float, float]] = [(x - 6, x + 6, y) for x, y in spots]
    placed: list[Spec] = []
    for (name, cost, area), (x, y) in zip(points, spots, strict=True):
        boxes = {side: _box(name, x, y, side) for side in _SIDES}
        free = [side for side, box in boxes.items() if not any(_touch(box, other) for other in taken)]
        side = free[0] if free else "right"
        taken.append(boxes[side])
        placed.append({"method": name, "cost": cost, "aup": area, "side": side})
    return placed


def _box(name: str, x: float, y: float, side: str) -> tuple[float, float, float]:
    shift, part = _SIDES[side]
    long = 6.2 * len(name)
    return (
        x + shift - part * long,
        x + shift + (1 - part) * long,
        y + {"above": 12, "below": -12}.get(side, 0),
    )


def _touch(a: tuple[float, float, float], b: tuple[float, float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1] and abs(a[2] - b[2]) < 12


def _name(name: str) -> str:
    return next((facts.label for facts in reference().tasks if facts.id == name), title_of(name))


def _whole(**parts: object) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": None,
        "config": {
            "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
            "view": {"stroke": None},
            "axis": {
                "labelColor": INK, "titleColor": INK, "gridColor": FAINT, "domainColor": GREY, "tickColor": GREY,
                "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 220,
            },
            "legend": {"labelColor": INK, "labelFontSize": 11, "symbolOpacity": 1, "columnPadding": 20},
            "header": {"labelColor": INK},
        },
        **parts,
    }  # fmt: skip
