"""Specifications to SVG, by vl-convert: no network, no browser, the same bytes for the same figures.

The SVG of a picture stands in the page itself, so its identifiers are made unique and its texts can be read there.
"""

import importlib
import re
from types import ModuleType
from typing import cast

from benchmarks.report.document import Spec
from engine.errors import UserError

_VERSION = "6.1"
_IDENTIFIER = re.compile(r'(\bid="|url\(#|href="#)([A-Za-z_][\w-]*)')
_BACKGROUND = re.compile(r'<rect width="[\d.]+" height="[\d.]+" fill="(?:white|transparent)"/>')
_OPENING = re.compile(r"<svg [^>]*>")
_SPOKEN = re.compile(r'(<path aria-label="([^"]*)"[^>]*)/>')
_SIZE = re.compile(r'width="([\d.]+)" height="([\d.]+)"')


class ExtraMissing(UserError):
    """Raised when a report needs an extra that is not installed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"a report needs {what}; install it with: pip install 'mlyceum[study]'")


def extra(name: str, distribution: str) -> ModuleType:
    """A module of the extra ``study``, imported when it is needed.

    Raises:
        ExtraMissing: when it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ExtraMissing(distribution) from error


def draw(spec: Spec, *, name: str, alt: str) -> str:
    """A picture as one ``<svg>`` element.

    Args:
        spec: Vega-Lite, data within.
        name: begins its identifiers; unique on the page.
        alt: its accessible name, escaped for HTML already.

    Raises:
        ExtraMissing: without vl-convert.
    """
    converter = extra("vl_convert", "vl-convert-python")
    svg = cast("str", converter.vegalite_to_svg(spec, vl_version=_VERSION))
    known: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:
        new = known.setdefault(found[2], f"{name}-{len(known) + 1}")
        return f"{found[1]}{new}"

    svg = _BACKGROUND.sub("", _IDENTIFIER.sub(renamed, svg), count=1)
    # What a mark stands for is shown by any browser that points at it.
    svg = _SPOKEN.sub(r"\1><title>\2</title></path>", svg)
    size = _SIZE.search(svg)
    width, height = (float(size[1]), float(size[2])) if size else (600.0, 400.0)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{alt}" '
        f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}">'
    )
    return _OPENING.sub(lambda _: opening, svg, count=1)


def stand_alone(svg: str) -> str:
    """A picture as a file: on white paper, since nobody else gives it a ground."""
    end = svg.index(">") + 1
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg[:end]}{ground}{svg[end:]}\n'
