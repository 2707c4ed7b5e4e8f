"""Vega-Lite specifications of a report's pictures, small enough for a page and a telephone, in colours all eyes tell apart.

Only these colours occur (Okabe and Ito 2008); `page` gives each its counterpart on a dark page. Text and axes are drawn in
``INK`` and ``FAINT``, which the page colours too.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from benchmarks.report.document import Spec

INK: Final = "#1b1f24"
FAINT: Final = "#d0d7de"
BLUE: Final = "#0072b2"
ORANGE: Final = "#d55e00"
GREEN: Final = "#009e73"
GREY: Final = "#6e7781"
WIDE: Final = 540
NARROW: Final = 300
"""Of the plot itself, in points; labels come on top in ``WIDE`` and stand inside in ``NARROW``."""
PANEL: Final = (200, 130)
"""Of one of several plots that stand side by side."""
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


class Dot(NamedTuple):
    """One row of a dot plot."""

    label: str
    estimate: float
    low: float | None
    high: float | None
    points: tuple[float, ...]
    """Single blocks, drawn where there is no interval."""
    group: str


class Line(NamedTuple):
    """One point of a curve with its band."""

    x: float
    y: float
    low: float | None
    high: float | None
    group: str


def _config() -> Spec:
    return {
        "background": None,
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": INK,
            "titleColor": INK,
            "gridColor": FAINT,
            "domainColor": GREY,
            "tickColor": GREY,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "gridOpacity": 0.7,
        },
        "legend": {
            "symbolOpacity": 1,
            "columnPadding": 28,
            "labelColor": INK,
            "titleColor": INK,
            "labelFontSize": 11,
            "labelLimit": 260,
        },
        "title": {"color": INK, "fontSize": 12, "fontWeight": 600, "anchor": "start", "offset": 6},
    }


def _whole(**parts: object) -> Spec:
    return {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "config": _config(), **parts}


def dot_plot(
    dots: Sequence[Dot],
    groups: Sequence[tuple[str, str, str]],
    *,
    x_title: str,
    zero: bool,
    bars: bool = False,
    narrow: bool = False,
) -> Spec:
    """Estimates with intervals, a row each, from top to bottom as given; single blocks where there is no interval.

    Args:
        dots: the rows.
        groups: (name, colour, shape), in the order of the legend.
        x_title: of the axis.
        zero: whether 0 is marked as "no difference".
        bars: whether a bar reaches from 0 to each estimate.
        narrow: whether labels stand above their rows, for a telephone.
    """
    rows = [
        {
            "row": f"{place:03d}",
            "label": d.label,
            "estimate": d.estimate,
            "low": d.low,
            "high": d.high,
            "group": d.group,
        }
        for place, d in enumerate(dots)
    ]
    single = [
        {"row": f"{place:03d}", "label": d.label, "value": value, "group": d.group}
        for place, d in enumerate(dots)
        for value in d.points
    ]
    used = {d.group for d in dots}
    legend = [group for group in groups if group[0] in used]
    names = [name for name, _, _ in legend]
    colour = {
        "field": "group",
        "type": "nominal",
        "scale": {"domain": names, "range": [colour for _, colour, _ in legend]},
        "legend": {"title": None, "orient": "bottom", "columns": 1 if narrow else 3}
        if len(names) > 1
        else None,
    }
    shape = {
        "field": "group",
        "type": "nominal",
        "scale": {"domain": names, "range": [shape for _, _, shape in legend]},
        "legend": colour["legend"],
    }
    y: Spec = {
        "field": "row",
        "type": "ordinal",
        "axis": None if narrow else _row_axis([d.label for d in dots]),
    }
    x_axis = {"grid": True, "tickCount": 5 if narrow else 7, "format": ".2~f"}
    x: Spec = {
        "type": "quantitative",
        "scale": {"zero": False, "nice": True},
        "axis": x_axis,
        "title": x_title,
    }
    layers: list[object] = []
    if zero:
        layers.append(
            {
                "data": {"values": [{"at": 0}]},
                "mark": {"type": "rule", "color": INK, "strokeWidth": 1.2, "aria": False},
                "encoding": {"x": {**x, "field": "at"}},
            }
        )
    if bars:
        layers.append(
            {
                "mark": {"type": "bar", "opacity": 0.35, "height": 12, "aria": False},
                "encoding": {"x": {**x, "field": "estimate"}, "y": y, "color": colour},
            }
        )
    layers += [
        {
            "data": {"values": single},
            "mark": {"type": "point", "filled": False, "size": 22, "opacity": 0.75, "strokeWidth": 1.2},
            "encoding": {"x": {**x, "field": "value"}, "y": y, "color": colour},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2.4, "aria": False},
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
            "transform": [{"filter": "isValid(datum.low)"}],
        },
        {
            "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1},
            "encoding": {
                "x": {**x, "field": "estimate"},
                "y": y,
                "color": colour,
                "shape": shape,
                "description": {"field": "said", "type": "nominal"},
            },
            "transform": [{"calculate": _SAID, "as": "said"}],
        },
    ]
    if narrow:
        layers.append(
            {
                "mark": {
                    "type": "text",
                    "align": "left",
                    "dy": -13,
                    "fontSize": 11,
                    "color": INK,
                    "limit": NARROW,
                },
                "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "label", "type": "nominal"}},
            }
        )
    return _whole(
        width=NARROW if narrow else WIDE,
        height={"step": 36 if narrow else 22},
        data={"values": rows},
        layer=layers,
        resolve={"legend": {"color": "shared", "shape": "shared"}},
    )


_SAID: Final = (
    "datum.label + ': ' + format(datum.estimate, '.3f') + "
    "(isValid(datum.low) ? ', interval ' + format(datum.low, '.3f') + ' to ' + format(datum.high, '.3f') : '')"
)


def _row_axis(labels: Sequence[str]) -> Spec:
    """Rows are keyed by place, so that two of one label stay two; the axis says the labels."""
    expression = "[" + ",".join(_quoted(label) for label in labels) + "][toNumber(datum.value)]"
    return {
        "title": None,
        "domain": False,
        "ticks": False,
        "labelExpr": expression,
        "labelLimit": 320,
        "labelPadding": 8,
        **_room(labels),
    }


def _room(labels: Sequence[str]) -> Spec:
    """Browsers' letters may be wider than those that the picture was set with; labels keep room for the widest."""
    width = min(320.0, 7.0 * max(map(len, labels), default=0) + 10)
    return {"minExtent": width, "maxExtent": width}


def _quoted(text: str) -> str:
    """As a string of Vega's expression language, which is JavaScript's."""
    kept = "".join(
        c if c.isalnum() or c in " ()-.@_,:+" else f"\\u{ord(c):04x}" if ord(c) < 65536 else "?" for c in text
    )
    return f"'{kept}'"


def line_panel(
    lines: Sequence[Line],
    groups: Sequence[tuple[str, str, tuple[int, ...]]],
    *,
    x_title: str,
    y_title: str,
    y_domain: tuple[float, float],
    x_marks: Sequence[float] = (),
    step: bool = False,
) -> Spec:
    """Curves with bands, small: one of several panels with one scale.

    Args:
        lines: points of all curves.
        groups: (name, colour, dashes), the last drawn on top.
        x_title: of the axis.
        y_title: of the axis.
        y_domain: shared by all panels.
        x_marks: of a logarithmic axis, as for budgets; empty: a linear one.
        step: whether a curve holds its value up to the next point.
    """
    values = [line._asdict() for line in lines]
    names = [name for name, _, _ in groups]
    scale = {"domain": names, "range": [colour for _, colour, _ in groups]}
    dashes = {"domain": names, "range": [list(dash) for _, _, dash in groups]}
    interpolate = "step-after" if step else "linear"
    x: Spec = {
        "field": "x",
        "type": "quantitative",
        "title": x_title,
        "scale": {"type": "log", "nice": False} if x_marks else {"nice": False, "zero": False},
        "axis": {"values": list(x_marks), "format": "~g"} if x_marks else {"tickCount": 5, "format": "~g"},
    }
    y: Spec = {"type": "quantitative", "scale": {"domain": list(y_domain), "clamp": True}, "title": y_title}
    colour: Spec = {"field": "group", "type": "nominal", "scale": scale, "legend": None}
    width, height = PANEL
    return _whole(
        width=width,
        height=height,
        data={"values": values},
        layer=[
            {
                "transform": [{"filter": "isValid(datum.low)"}],
                "mark": {"type": "area", "opacity": 0.18, "interpolate": interpolate, "aria": False},
                "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour},
            },
            {
                "mark": {"type": "line", "strokeWidth": 2, "interpolate": interpolate},
                "encoding": {
                    "x": x,
                    "y": {**y, "field": "y", "axis": {"tickCount": 4}},
                    "color": colour,
                    "strokeDash": {"field": "group", "type": "nominal", "scale": dashes, "legend": None},
                },
            },
        ],
    )


def heat_panel(cells: Sequence[tuple[str, str, float]], order: Sequence[str]) -> Spec:
    """Numbers in a square: rows send, columns receive.

    Args:
        cells: (row, column, value).
        order: of rows and columns.
    """
    values = [{"sender": a, "receiver": b, "value": v} for a, b, v in cells]
    top = max((v for _, _, v in cells), default=1.0) or 1.0
    axis = {"labelLimit": 120, "ticks": False, "domain": False, "labelFontSize": 11}
    x: Spec = {
        "field": "receiver",
        "type": "nominal",
        "sort": list(order),
        "title": None,
        "axis": {**axis, "labelAngle": -40},
    }
    y: Spec = {"field": "sender", "type": "nominal", "sort": list(order), "title": None, "axis": axis}
    return _whole(
        width=PANEL[0],
        height={"step": 30},
        data={"values": values},
        layer=[
            {
                "mark": {"type": "rect", "cornerRadius": 2, "color": BLUE},
                "encoding": {
                    "x": x,
                    "y": y,
                    "opacity": {
                        "field": "value",
                        "type": "quantitative",
                        "scale": {"domain": [0, top], "range": [0.05, 0.75]},
                        "legend": None,
                    },
                },
            },
            {
                "mark": {"type": "text", "fontSize": 11, "color": INK},
                "encoding": {
                    "x": x,
                    "y": y,
                    "text": {"field": "value", "type": "quantitative", "format": ".1f"},
                },
            },
        ],
    )
