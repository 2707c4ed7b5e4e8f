"""What a declared move space promises, checked: which axes are live at a point, and whether the point is in it."""

from collections.abc import Mapping

from engine.errors import BadSpecification
from engine.messages import Point, Value
from engine.task import MoveSpace, Parameter


def is_live(parameter: Parameter, point: Mapping[str, Value]) -> bool:
    """Whether the axis means anything at this point."""
    return all(name in point and point[name] in values for name, values in parameter.only_if.items())


def check_point(space: MoveSpace, point: Mapping[str, Value]) -> None:
    """Refuse a point that is not in the space: every live axis must be given; dead ones may be, within range.

    Raises:
        BadSpecification: naming the axis and what is allowed there.
    """
    known = {parameter.name for parameter in space.parameters}
    for name in point:
        if name not in known:
            raise BadSpecification("point", f"no axis {name!r}; the axes are {', '.join(sorted(known))}")
    for parameter in space.parameters:
        if parameter.name in point:
            _check_value(parameter, point[parameter.name])
        elif is_live(parameter, point):
            raise BadSpecification("point", f"axis {parameter.name!r} is missing; give {_allowed(parameter)}")


def _check_value(parameter: Parameter, value: Value) -> None:
    if parameter.choices:
        # `True == 1`, so that the type is asked for too.
        fits = any(value == choice and type(value) is type(choice) for choice in parameter.choices)
    else:
        assert parameter.low is not None  # an axis without choices is a range
        assert parameter.high is not None
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        whole = isinstance(value, int) or not parameter.integer
        fits = numeric and whole and parameter.low <= float(value) <= parameter.high
    if not fits:
        raise BadSpecification("point", f"axis {parameter.name!r} is {value!r}; give {_allowed(parameter)}")


def _allowed(parameter: Parameter) -> str:
    if parameter.choices:
        return f"one of {', '.join(map(repr, parameter.choices))}"
    return f"{'a whole number' if parameter.integer else 'a number'} from {parameter.low:g} to {parameter.high:g}"


def defaults(space: MoveSpace, given: Mapping[str, Value]) -> Point:
    """A complete point: the values given, and on every other axis the first choice or the lowest value."""
    point: Point = {}
    for parameter in space.parameters:
        if parameter.name in given:
            point[parameter.name] = given[parameter.name]
        elif parameter.choices:
            point[parameter.name] = parameter.choices[0]
        else:
            assert parameter.low is not None  # an axis without choices is a range
            point[parameter.name] = int(parameter.low) if parameter.integer else parameter.low
    return point
