"""Points, rows and what is live."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from laboratory import HILLS, HillMoves

from engine.task import MoveSpace, Parameter
from roles.space import Space

SPACE = Space(HILLS, HillMoves().start())


def test_only_live_axes_are_in_a_point() -> None:
    assert "x" not in SPACE.point(SPACE.row({"plan": "flat", "x": 0.5}))
    assert SPACE.point(SPACE.row({"plan": "hill", "x": 0.5, "y": 0.1}))["x"] == 0.5


def test_a_chain_of_conditions_holds_in_any_order_of_the_axes() -> None:
    space = Space(
        MoveSpace(
            parameters=(
                Parameter(name="c", low=0, high=1, only_if={"b": (2, 3)}),
                Parameter(name="b", low=0, high=4, integer=True, only_if={"a": ("on",)}),
                Parameter(name="a", choices=("off", "on")),
            )
        ),
        {"a": "off"},
    )

    assert set(space.point(space.row({"a": "off", "b": 2, "c": 0.5}))) == {"a"}
    assert set(space.point(space.row({"a": "on", "b": 1, "c": 0.5}))) == {"a", "b"}
    assert set(space.point(space.row({"a": "on", "b": 3, "c": 0.5}))) == {"a", "b", "c"}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_draw_comes_back_the_same_by_way_of_its_point(seed: int) -> None:
    [row] = SPACE.draw(np.random.default_rng(seed), 1)
    point = SPACE.point(row)
    live = SPACE.live(row[None, :])[0]

    assert np.allclose(SPACE.row(point)[live], row[live])
    assert SPACE.settle(point) == (point, ())


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*SPACE.names, "bogus"]),
        st.one_of(st.text(max_size=5), st.floats(), st.integers(), st.booleans(), st.none(), st.just(["a"])),
    )
)
def test_any_wish_settles_on_a_point_of_the_space(wish: dict[str, object]) -> None:
    point, _ = SPACE.settle(wish)

    for axis in HILLS.parameters:
        if axis.name in point:
            value = point[axis.name]
            assert value in axis.choices or axis.low <= value <= axis.high  # type: ignore[operator]  # numeric then


def test_what_a_model_wrote_is_moved_to_the_nearest_and_said() -> None:
    point, changes = SPACE.settle({"plan": "HILL", "x": 7, "steps": "12", "bogus": 1, "kind": "z"})

    assert (point["plan"], point["x"], point["steps"], point["kind"]) == ("hill", 1.0, 12, "a")
    assert any("bogus" in each for each in changes)
    assert any("'z' is not one of a, b, c" in each for each in changes)


def test_neighbours_differ_on_one_live_axis_and_reach_every_choice_and_both_ends() -> None:
    row = SPACE.row({"plan": "hill", "x": 0.5, "y": 0.5})
    near = SPACE.around(row, np.random.default_rng(1))

    assert ((near != row).sum(axis=1) == 1).all()
    points = [SPACE.point(each) for each in near]
    assert {point["kind"] for point in points} == {"a", "b", "c"}
    assert {0.0, 1.0} <= {point.get("x") for point in points}


def test_a_family_is_what_opens_several_axes() -> None:
    assert SPACE.gates == ("plan",)
    assert SPACE.family({"plan": "hill", "kind": "a"}) == "plan=hill"


def test_the_rows_beside_one_are_a_single_step_away_on_one_live_axis() -> None:
    row = SPACE.row(SPACE.start)

    beside = SPACE.beside(row)

    assert len(beside)
    for other in beside:
        (column,) = np.flatnonzero(other != row)
        axis = SPACE.axes[column]
        assert SPACE.live(row[None, :])[0, column]
        assert axis.name not in SPACE.gates
        assert axis.choices or axis.integer
        if axis.integer:
            old, new = SPACE.point(row)[axis.name], SPACE.point(other)[axis.name]
            assert abs(int(new) - int(old)) == 1
