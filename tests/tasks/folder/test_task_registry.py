"""Tasks are found by their names, by MLGym's, and by what was probably meant."""

import pytest

from engine.errors import UnknownName
from tasks.registry import aliases, open_task, task_id, task_names

FOUR = ("3-sat", "battle-of-sexes", "colonel-blotto", "prisoners-dilemma")


def test_the_four_real_tasks_are_there_each_with_a_harder_variant() -> None:
    names = set(task_names())

    assert names >= {*FOUR, *(f"{name}-hard" for name in FOUR)}


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("battleOfSexes", "battle-of-sexes"),
        ("prisonersDilemma", "prisoners-dilemma"),
        ("blotto", "colonel-blotto"),
        ("3SATTime", "3-sat"),
    ],
)
def test_mlgyms_ids_are_aliases_of_the_published_variants(alias: str, name: str) -> None:
    assert aliases()[alias] == name
    assert open_task(alias).card.id == name


def test_a_misspelt_task_is_refused_with_what_was_meant() -> None:
    with pytest.raises(UnknownName, match="did you mean 'battle-of-sexes'") as caught:
        open_task("battle-of-sexs")

    assert caught.value.suggestion == "battle-of-sexes"


def test_another_move_space_is_chosen_by_an_at_sign() -> None:
    plain, templates = open_task("colonel-blotto"), open_task("colonel-blotto@templates")

    assert (plain.name, templates.name) == ("colonel-blotto", "colonel-blotto@templates")
    assert plain.card == templates.card
    assert plain.moves.space.digest() != templates.moves.space.digest()
    assert task_id("blotto@templates") == "colonel-blotto"


def test_an_unknown_move_space_is_refused() -> None:
    with pytest.raises(UnknownName, match="move space of colonel-blotto"):
        open_task("colonel-blotto@template")


def test_cards_carry_the_published_figures() -> None:
    figures = {
        name: (card.best_published, card.optimum)
        for name in FOUR
        if (card := open_task(name).card) and card.published_baseline is not None
    }

    assert figures["battle-of-sexes"] == (1.443, 1.44)
    assert figures["prisoners-dilemma"] == (2.634, pytest.approx(2.625138, abs=1e-6))
    assert figures["colonel-blotto"] == (0.247, 0.248)
    assert figures["3-sat"] == (11.894, None)
