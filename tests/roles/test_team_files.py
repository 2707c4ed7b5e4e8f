"""Team files: what is read, and what a broken one is answered with."""

from pathlib import Path

import pytest

from engine.errors import BadSpecification, UnknownName, UserError
from engine.messages import CODE, EXPERIMENT, HYPOTHESIZE, REVIEW
from roles import load_team, make_rule, named_team, open_team, parse_team, team_names
from roles.catalogue import ROLES

HEAD = 'name = "mine"\n[strategy]\nkind = "greedy"\n'
MEMBERS = "".join(
    f'[[members]]\nrole = "{role}"\n' for role in ("hypothesizer", "coder", "experimenter", "reviewer")
)


def test_every_shipped_team_reads_and_is_named_as_its_file() -> None:
    assert team_names() == (
        "best-of-n",
        "blackboard",
        "debate",
        "evolution",
        "full",
        "mlgym",
        "pipeline",
        "random-search",
        "solo",
        "successive-halving",
        "uct",
    )
    assert [named_team(name).name for name in team_names()] == list(team_names())


def test_a_member_without_functions_has_those_of_its_role() -> None:
    team = parse_team(HEAD + MEMBERS, where="x.toml")

    assert [member.functions for member in team.members] == [
        (HYPOTHESIZE,),
        (CODE,),
        (EXPERIMENT,),
        (REVIEW,),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "line 1: is not valid TOML"),
        (
            HEAD + MEMBERS + 'polcy = "offline"\n',
            r"line 12: members\[3\].polcy: there is no such field; allowed: role",
        ),
        (
            HEAD + MEMBERS + 'policy = "clever"\n',
            r"line 12: members\[3\].policy: .*allowed: offline, vacuous, model",
        ),
        (HEAD + MEMBERS + 'replicas = "two"\n', r"line 12: members\[3\].replicas: Expected `int`"),
        (HEAD + MEMBERS + "replicas = 0\n", r"line 12: members\[3\].replicas: 0; allowed are 1 to 64"),
        ("in_flight = 0\n" + HEAD + MEMBERS, "line 1: in_flight: 0; allowed are 1 to 256"),
        (
            HEAD + MEMBERS.replace("reviewer", "reviewr"),
            "line 11: role: unknown role 'reviewr'; did you mean 'reviewer'",
        ),
        (
            HEAD.replace("greedy", "gredy") + MEMBERS,
            "line 3: unknown strategy 'gredy'; did you mean 'greedy'",
        ),
        (
            HEAD + "settings = { draft = 3 }\n" + MEMBERS,
            "line 4: strategy.settings: greedy has no setting 'draft'; allowed: drafts",
        ),
        (HEAD + "settings = { drafts = -1 }\n" + MEMBERS, "Expected `int` >= 0"),
        (HEAD + MEMBERS.replace('"reviewer"', '"coder"'), "a role is named twice"),
        (HEAD + '[[members]]\nrole = "coder"\n', "nobody does experiment, hypothesize, review"),
        (
            HEAD + MEMBERS + 'functions = ["rewiev"]\n',
            "line 12: unknown function 'rewiev'; did you mean 'review'",
        ),
        (
            HEAD + MEMBERS + '[[interpositions]]\nkind = "mute"\ntopic = "reviws"\n',
            "line 14: unknown topic 'reviws'; did you mean 'reviews'",
        ),
        (HEAD.replace("greedy", "solo") + MEMBERS, "leads exactly one member"),
        (HEAD + '[[members]]\nrole = "solo"\n', "the role 'solo' leads itself"),
        ('name = "a/b"\n' + HEAD.partition("\n")[2] + MEMBERS, "line 1: name: 'a/b' is no name"),
    ],
)
def test_a_broken_team_file_is_answered_with_line_field_and_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_team(text, where="mine.toml")


def test_a_file_is_told_from_a_name_by_its_look(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(HEAD + MEMBERS)

    assert open_team(str(file)).name == "mine"
    with pytest.raises(UnknownName, match="did you mean 'full'"):
        open_team("ful")
    with pytest.raises(BadSpecification, match="cannot be read"):
        load_team(tmp_path / "absent.toml")


def test_every_role_says_what_its_removal_leaves_or_that_there_is_nothing() -> None:
    assert {name: role.vacuous is None for name, role in ROLES.items()} == {
        "hypothesizer": False,
        "coder": False,
        "experimenter": False,
        "reviewer": False,
        "solo": True,
    }


def test_a_strategy_is_found_by_name_or_what_was_meant_is_said() -> None:
    assert make_rule(named_team("best-of-n").strategy).reviews is False
    with pytest.raises(UnknownName, match="did you mean 'random'"):
        make_rule(type(named_team("full").strategy)(kind="randm"))
