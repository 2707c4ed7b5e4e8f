"""A role whose policy is a file: the user's class takes part, and what is wrong with it is said in a sentence."""

import re
from pathlib import Path

import msgspec
import pytest
from laboratory import play
from test_teamwork import bodies

from engine.errors import BadSpecification, UserError
from engine.journal import AnyRecord, Decided, Opened, read_journal
from engine.messages import Failed
from engine.team import TeamSpec
from roles import apply, load_team, named_team, parse_patch, parse_team
from roles.policy_file import MOST_BYTES
from roles.team import check_team

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_role"
NOD = """
from engine.messages import REVIEW, Review

class Nod:
    queue = REVIEW
    topics = ()

    def __init__(self, member):
        pass

    def observe(self, body):
        pass

    async def answer(self, request):
        return Review(node=request.body.node, verdict="accept")
"""


def journal(folder: Path) -> list[AnyRecord]:
    return [each for path in folder.rglob("*.jsonl") for each in read_journal(path)]


def team_with(folder: Path, source: str, *, policy: str = "mine.py:Nod") -> TeamSpec:
    (folder / "mine.py").write_text(source)
    text = (EXAMPLE / "team.toml").read_text().replace("my_roles.py:Critic", policy)
    (folder / "team.toml").write_text(text)
    return load_team(folder / "team.toml")


async def test_the_example_takes_part_and_its_decisions_are_on_the_record(tmp_path: Path) -> None:
    result = await play(load_team(EXAMPLE / "team.toml"), folder=tmp_path)

    assert result.outcome == "submitted"
    assert any(isinstance(each, Decided) and each.what == "lead" for each in journal(tmp_path))
    assert bodies(tmp_path, "Review")


async def test_the_record_names_the_file_and_the_hash_of_its_source(tmp_path: Path) -> None:
    team = team_with(tmp_path, NOD)

    await play(team, folder=tmp_path / "record")

    head = next(each for each in journal(tmp_path / "record") if isinstance(each, Opened))
    assert f'"{tmp_path}/mine.py":"{team.sources[str(tmp_path / "mine.py")]}"' in bytes(
        head.specification
    ).decode().replace(" ", "")


def test_a_team_without_a_file_policy_is_encoded_as_before() -> None:
    assert b"sources" not in msgspec.json.encode(named_team("full"))


@pytest.mark.parametrize(
    ("source", "policy", "said"),
    [
        (NOD, "other.py:Nod", r"members\[3\].policy: .*other.py cannot be read: No such file"),
        (NOD, "mine.py:Nodd", r"mine.py has no class 'Nodd'; it has Nod"),
        ("x = 1", "mine.py:Nod", "it has no class at all"),
        ("Nod = 3", "mine.py:Nod", "mine.py:Nod is a int; a policy is a class"),
        ("class Nod(:", "mine.py:Nod", r"mine.py, line 1: is not Python"),
        ("import absent_module", "mine.py:Nod", "raises when it is imported: ModuleNotFoundError"),
        ("raise SystemExit(3)", "mine.py:Nod", "raises when it is imported: SystemExit: 3"),
        (NOD.replace("queue = REVIEW", ""), "mine.py:Nod", "has queue = None; it must be one of hypothesize"),
        (NOD.replace("queue = REVIEW", "queue = 'code'"), "mine.py:Nod", "serves 'code', and the reviewer's"),
        (NOD.replace("topics = ()", "topics = ('resluts',)"), "mine.py:Nod", r"has topics = \('resluts',\)"),
        (NOD.replace("async def", "def"), "mine.py:Nod", "has no `async def answer"),
        (NOD.replace("observe", "look"), "mine.py:Nod", "has no `def observe"),
        (NOD.replace("self, member", "self"), "mine.py:Nod", "cannot be made with one argument"),
        ("#" * (MOST_BYTES + 1), "mine.py:Nod", "is larger than"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence_with_the_line_of_the_team_file(
    source: str, policy: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        team_with(tmp_path, source, policy=policy)

    assert str(caught.value).startswith("team.toml, line 18: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("raise ValueError('no idea')", "ValueError: no idea"),
        ("return None", "mine.py:Nod answered review with NoneType; it must be Review"),
        ("return Review(node=999, verdict='accept')", "answered about node 999"),
        ("raise SystemExit(1)", r"asked the process to exit \(1\)"),
    ],
)
async def test_a_policy_that_raises_or_answers_nonsense_fails_its_episode_and_no_other(
    answer: str, said: str, tmp_path: Path
) -> None:
    bad = team_with(tmp_path, NOD.replace('return Review(node=request.body.node, verdict="accept")', answer))

    failed = await play(bad, folder=tmp_path / "bad")
    fine = await play(named_team("full"), folder=tmp_path / "fine")

    assert (failed.outcome, fine.outcome) == ("error", "submitted")
    assert re.search(said, failed.reason)
    assert all(isinstance(each, Failed) for each in bodies(tmp_path / "bad", "Failed"))
    assert bodies(tmp_path / "bad", "Failed")


async def test_a_file_that_was_changed_since_is_not_run(tmp_path: Path) -> None:
    team = team_with(tmp_path, NOD)
    (tmp_path / "mine.py").write_text(NOD + "\n# another version\n")

    with pytest.raises(BadSpecification, match="is not what it was when the team was made"):
        await play(team)


async def test_functions_of_a_member_are_driven_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(NOD)
    text = (
        'name = "merged"\n[strategy]\nkind = "greedy"\n[[members]]\nrole = "hypothesizer"\n'
        '[[members]]\nrole = "coder"\n[[members]]\nrole = "experimenter"\n'
        'functions = ["experiment", "review"]\npolicies = { review = "mine.py:Nod" }\n'
    )

    result = await play(parse_team(text, where="team.toml", folder=tmp_path))

    assert result.outcome == "submitted"


@pytest.mark.parametrize("words", ["replace reviewer mine.py:Nod", "replace reviewer with mine.py:Nod"])
async def test_a_patch_replaces_a_role_by_a_file(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(NOD)
    monkeypatch.chdir(tmp_path)

    team = apply(named_team("full"), parse_patch(words))

    assert team.members[3].policy == f"{tmp_path}/mine.py:Nod"
    assert team.patches == ("replace reviewer mine.py:Nod",)
    assert (await play(team)).outcome == "submitted"


def test_a_team_that_was_not_read_from_a_file_names_no_file() -> None:
    members = tuple(
        msgspec.structs.replace(member, policy="mine.py:Nod") if member.role == "reviewer" else member
        for member in named_team("full").members
    )

    with pytest.raises(BadSpecification, match="put the team into a file of its own"):
        check_team(msgspec.structs.replace(named_team("full"), members=members))


async def test_ablations_take_a_file_policy_away_or_hand_it_over(tmp_path: Path) -> None:
    team = team_with(tmp_path, NOD)

    vacuous = apply(team, parse_patch("remove reviewer vacuous"))
    absorbed = apply(team, parse_patch("remove reviewer absorbed:experimenter"))

    assert vacuous.members[3].policy == "vacuous"
    assert absorbed.members[2].policies == {"review": f"{tmp_path}/mine.py:Nod"}
    assert (await play(absorbed)).outcome == "submitted"
