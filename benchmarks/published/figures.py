"""The report's pictures as Vega-Lite: areas, profiles, cost, endings, actions, and how the ranking moves."""

from collections.abc import Sequence
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
GREY: Final = "#8c959f"
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
        "title": f"area under the profile (at most {view.best_attempt.t_max:g})",
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
                "encoding": {"y": y, "x": x, "color": _kind(), "shape": {"field": "kind", "legend": None}},
            },
        ],
    )


def profile_figure(profiles: Sequence[Profile], order: Sequence[str]) -> Spec:
    """A panel a method: its two profiles over those of all others in grey."""
    titles = [title_of(method) for method in order]
    own = [
        {"method": title_of(p.method), "kind": p.kind, "t": t, "share": share}
        for p in profiles
        for t, share in p.points
    ]
    everybody = [
        {"other": f"{p.method} {p.kind}", "t": t, "share": share}
        for p in profiles
        if p.kind == ATTEMPT
        for t, share in p.points
    ]
    grey = {
        "data": {"values": [{"panel": title, **row} for title in titles for row in everybody]},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 0.7, "color": FAINT},
    }
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
    rows = [{"panel": row["method"], **row} for row in own]
    values = [*grey_rows(titles, everybody), *rows]
    del grey
    return _whole(
        data={"values": values},
        facet={
            "field": "panel", "type": "nominal", "sort": titles, "title": None,
            "header": {"labelFontSize": 11, "labelFontWeight": 600, "labelAnchor": "start"},
        },
        columns=4,
        spec={
            "width": 150,
            "height": 100,
            "layer": [
                {
                    "transform": [{"filter": "isValid(datum.other)"}],
                    "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 0.8, "color": FAINT},
                    "encoding": {"x": x, "y": y, "detail": {"field": "other"}},
                },
                {
                    "transform": [{"filter": "!isValid(datum.other)"}],
                    "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
                    "encoding": {"x": x, "y": y, "color": _kind()},
                },
            ],
        },
    )  # fmt: skip


def grey_rows(titles: Sequence[str], rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """The same curves once for each panel, to be drawn behind its own."""
    return [{"panel": title, **row} for title in titles for row in rows]


def cost_figure(rows: Sequence[CostRow]) -> Spec:
    """Area of best attempt against the listed cost of a run, on a log axis; each model by its name."""
    values = [
        {"method": title_of(row.method), "cost": row.listed_cost_usd, "aup": row.best_attempt_aup}
        for row in rows
        if row.listed_cost_usd is not None and row.best_attempt_aup is not None
    ]
    x = {
        "field": "cost", "type": "quantitative", "title": "USD a run, from tokens and MLGym's prices (log scale)",
        "scale": {"type": "log", "nice": False, "padding": 60}, "axis": {"values": [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10], "format": "~g"},
    }  # fmt: skip
    y = {
        "field": "aup",
        "type": "quantitative",
        "title": "area under the profile, best attempt",
        "scale": {"zero": False, "padding": 14},
    }
    placed = _beside(values)
    return _whole(
        width=560,
        height=330,
        data={"values": placed},
        layer=[
            {"mark": {"type": "point", "filled": True, "size": 70, "opacity": 1, "color": BLUE}, "encoding": {"x": x, "y": y}},
            *(
                {
                    "transform": [{"filter": f"datum.side === '{side}'"}],
                    "mark": {"type": "text", "align": align, "dx": dx, "dy": dy, "fontSize": 11, "color": INK},
                    "encoding": {"x": x, "y": y, "text": {"field": "method", "type": "nominal"}},
                }
                for side, align, dx, dy in (("right", "left", 8, 0), ("left", "right", -8, 0), ("above", "center", 0, -11), ("below", "center", 0, 13))
            ),
        ],
    )  # fmt: skip


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
        x={"field": "runs", "type": "quantitative", "title": f"runs of each {first}", "stack": "zero"},
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
    return _whole(
        width=620,
        height=260,
        data={"values": values},
        mark={"type": "bar", "width": {"band": 1}},
        encoding={
            "x": {"field": "step", "type": "ordinal", "title": "step", "axis": {"values": [1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50], "labelAngle": 0}},
            "y": {"field": "runs", "type": "quantitative", "title": "runs", "stack": "zero"},
            "color": _colour("kind", KINDS, _KIND_COLOURS),
            "order": {"field": "place", "type": "quantitative"},
        },
    )  # fmt: skip


def ranking_figure(shifts: Sequence[RankShift]) -> Spec:
    """Places in each view, a line a method; those that move are drawn strong."""
    views = list(shifts[0].place) if shifts else []
    short = {view: f"{place}" for place, view in enumerate(views)}
    names = ["as published", "invalid runs out", "self-reported metric out, too"]
    values = [
        {
            "method": title_of(shift.method), "at": int(short[view]), "place": shift.place[view],
            "moves": "up" if shift.place[views[-1]] < shift.place[views[0]] else "down" if shift.place[views[-1]] > shift.place[views[0]] else "stays",
        }
        for shift in shifts
        for view in views
    ]  # fmt: skip
    x = {
        "field": "at", "type": "quantitative", "scale": {"domain": [-0.9, 2.9]}, "title": None,
        "axis": {"values": [0, 1, 2], "labelExpr": f"{names}[datum.value]", "grid": False, "orient": "top", "domain": False, "ticks": False},
    }  # fmt: skip
    y = {
        "field": "place",
        "type": "quantitative",
        "scale": {"reverse": True, "domain": [0.5, len(shifts) + 0.5], "nice": False},
        "axis": None,
    }
    colour = {
        "field": "moves", "type": "nominal", "legend": None,
        "scale": {"domain": ["up", "down", "stays"], "range": [BLUE, ORANGE, GREY]},
    }  # fmt: skip
    ends = [("right", 0, -10), ("left", 2, 10)]
    return _whole(
        width=560,
        height=330,
        data={"values": values},
        layer=[
            {
                "mark": {"type": "line", "point": {"filled": True, "size": 50}, "strokeWidth": 2},
                "encoding": {"x": x, "y": y, "color": colour, "detail": {"field": "method"}},
            },
            *(
                {
                    "transform": [{"filter": f"datum.at === {at}"}, {"calculate": "datum.place + '. ' + datum.method" if at == 0 else "datum.method + ' (' + datum.place + ')'", "as": "said"}],
                    "mark": {"type": "text", "align": align, "dx": dx, "fontSize": 11},
                    "encoding": {"x": x, "y": y, "color": colour, "text": {"field": "said", "type": "nominal"}},
                }
                for align, at, dx in ends
            ),
        ],
    )  # fmt: skip


def _bars(
    values: Sequence[dict[str, object]],
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


def _kind() -> Spec:
    return {"field": "kind", "type": "nominal", "title": None, "scale": _PAIR, "legend": {"orient": "bottom"}}


def _beside(values: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Where each name stands beside its point, so that names of neighbours do not cover each other."""
    placed: list[dict[str, object]] = []
    for value in sorted(values, key=lambda v: (float(str(v["aup"])), float(str(v["cost"])))):
        sides = [
            str(p["side"]) for p in placed if abs(float(str(p["aup"])) - float(str(value["aup"]))) < 0.012
        ]
        side = next(
            s for s in ("right", "left", "above", "below", "right") if s not in sides or len(sides) > 3
        )
        placed.append({**value, "side": side})
    return placed


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
