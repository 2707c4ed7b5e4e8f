import hashlib
import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_three_sat_solver import formulas

from tasks.three_sat import instances as instances_module
from tasks.three_sat.instances import (
    GeneratorChanged,
    Instance,
    decode_instances,
    encode_instances,
    hard_instances,
    mlgym_instances,
    verified_instances,
)
from tasks.three_sat.truth import is_satisfiable


@settings(max_examples=50, deadline=None)
@given(some=st.lists(formulas(), max_size=5).map(tuple))
def test_decode_of_encode_is_the_same(some: tuple[Instance, ...]) -> None:
    assert decode_instances(encode_instances(some)) == some


@pytest.mark.parametrize("draw", [verified_instances, hard_instances])
def test_each_formula_is_a_function_of_seed_and_index_alone(draw) -> None:  # type: ignore[no-untyped-def]  # two functions of one form
    many = draw(7, 200)

    assert [draw(7, 1, first=index)[0] for index in (0, 1, 63, 199)] == [many[i] for i in (0, 1, 63, 199)]
    assert draw(7, 200) == many
    assert draw(8, 200) != many


def test_the_streams_are_those_on_record() -> None:
    """Scores are comparable across machines and versions only while these stay."""
    digest = hashlib.sha256(
        encode_instances(verified_instances(1, 80)) + encode_instances(hard_instances(1, 11))
    )

    assert digest.hexdigest()[:16] == "b4a5fa152b61cf28"


def test_eighty_successive_formulas_hold_each_size_and_ratio_once() -> None:
    cells = Counter((i.variables, len(i.clauses) / i.variables) for i in verified_instances(3, 80, first=40))

    assert cells == Counter(itertools.product(range(3, 11), range(2, 12)))


def test_the_harder_formulas_have_20_to_30_variables_at_the_threshold() -> None:
    drawn = hard_instances(3, 22)

    assert Counter(instance.variables for instance in drawn) == dict.fromkeys(range(20, 31), 2)
    assert all(abs(len(i.clauses) - 4.26 * i.variables) <= 0.5 for i in drawn)


@pytest.mark.parametrize("draw", [verified_instances, hard_instances])
def test_each_clause_has_three_different_variables_of_the_formula(draw) -> None:  # type: ignore[no-untyped-def]  # as above
    for instance in draw(5, 160):
        for clause in instance.clauses:
            assert len({abs(literal) for literal in clause}) == 3
            assert all(1 <= abs(literal) <= instance.variables for literal in clause)


@pytest.mark.parametrize(("variables", "kinds"), [(3, 48), (4, 192)])
def test_signed_ordered_triples_are_equally_likely(variables: int, kinds: int) -> None:
    drawn = [i for i in verified_instances(5, 8_000) if i.variables == variables]
    counts = Counter(clause for instance in drawn for clause in instance.clauses)
    mean = sum(counts.values()) / kinds

    assert len(counts) == kinds
    chi_square = sum((count - mean) ** 2 / mean for count in counts.values())
    assert abs(chi_square - (kinds - 1)) < 4 * (2 * (kinds - 1)) ** 0.5  # 4 standard deviations


def test_as_many_formulas_are_satisfiable_as_in_the_mlgym_set() -> None:
    share = sum(map(is_satisfiable, verified_instances(5, 8_000))) / 8_000

    assert abs(share - 10_278 / 24_000) < 0.01  # 3.3 standard errors of the stratified mean


@pytest.fixture
def small_set(monkeypatch: pytest.MonkeyPatch) -> tuple[Instance, ...]:
    """Put a set of ten formulas in the place of MLGym's, which takes 11 s to make."""
    small = verified_instances(1, 10)
    monkeypatch.setattr(instances_module, "_draw_mlgym", lambda: iter(small))
    digest = hashlib.sha256(encode_instances(small)).hexdigest()
    monkeypatch.setattr(instances_module, "MLGYM_SHA256", digest)
    return small


def test_the_set_is_made_once_and_then_read(
    small_set: tuple[Instance, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "not" / "yet" / "there"
    assert mlgym_instances(cache) == small_set
    monkeypatch.setattr(instances_module, "_draw_mlgym", lambda: pytest.fail("made twice"))

    assert mlgym_instances(cache) == small_set
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"\3" + b[1:-1] + b"\1", lambda _: b""])
def test_a_damaged_cache_is_not_believed_but_made_anew(small_set, tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]  # damage is bytes to bytes
    mlgym_instances(tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))

    assert mlgym_instances(tmp_path) == small_set
    assert file.read_bytes() == whole


def test_another_stream_is_refused_with_a_remedy_and_leaves_no_file(
    small_set: tuple[Instance, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances_module, "_draw_mlgym", lambda: iter(small_set[1:]))

    with pytest.raises(GeneratorChanged, match="install numpy"):
        mlgym_instances(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_nothing_behind(
    small_set: tuple[Instance, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(OSError, match="no space"):
        mlgym_instances(tmp_path)

    assert list(tmp_path.iterdir()) == []
