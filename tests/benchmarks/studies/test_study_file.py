"""Study files: what they say becomes a design; what is wrong is told in one sentence with file and line."""

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.studies.design import ArmDesign, Contrast, Design
from benchmarks.studies.implied import study_text
from benchmarks.studies.study_file import find_study, load_study, resolve_file, study_names
from engine.budget import Budget
from engine.errors import BadSpecification, UnknownName
from engine.seeds import Seeds
from engine.team import StrategySpec
from roles.team import named_team

TINY = """\
version = 1
name = "tiny"
tasks = ["planted"]
primary = "full less solo"

[budget]
evaluations = 6

[seeds]
count = 3
pilot = [900]

[drop]
roles = ["reviewer"]
"""


def write(folder: Path, text: str, name: str = "study.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def load(folder: Path, text: str, *overrides: str) -> Design:
    return load_study(write(folder, text), overrides=overrides).design


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "evaluations = 6",
            "evaluatons = 6",
            "line 7: budget.evaluatons: there is no such field; did you mean",
        ),
        ("count = 3", 'count = "3"', "line 10: seeds.count: must be a whole number, not text"),
        ("count = 3", "count = 0", "line 10: seeds.count: 0 seeds are too few"),
        ("count = 3", "count = 3\ntask = [1, 2]", "line 10: seeds.count: 3 seeds, but task says 2"),
        (
            "pilot = [900]",
            "pilot = [2]",
            "line 11: seeds.pilot: a pilot seed is given twice, or analysed too",
        ),
        ("version = 1", "version = 2", "line 1: version: 2 is not known; write version = 1"),
        ('"planted"', '"plantd"', "line 3: tasks[0]: unknown task 'plantd'; did you mean 'planted'?"),
        ('"planted"', '"planted", "planted"', "line 3: tasks[1]: planted is named twice"),
        ('"reviewer"', '"reviewr"', "line 14: drop.roles[0]: unknown role of full 'reviewr'; did you mean"),
        ("full less solo", "full les solo", "line 4: primary: unknown contrast"),
        ('name = "tiny"', "", "the file lacks name; add it"),
        ('name = "tiny"', 'name = "ti ny"', "line 2: name: 'ti ny' is no name"),
        ('name = "tiny"', 'name = "tiny', "line 2: is not valid TOML"),
        ("[drop]", '[drop]\nsense = "bth"', "line 14: drop.sense: Invalid value 'bth'; did you mean 'both'?"),
        (
            "evaluations = 6",
            'primary = "cost_usd"',
            "line 7: budget.primary: arms are to be held equal on cost_usd",
        ),
        ("evaluations = 6", "evaluations = 0", "line 7: budget.evaluations: 0 is too small"),
        (
            "[drop]",
            '[[arm]]\nname = "a"\npatches = ["mute revews"]\n[drop]',
            "line 15: arm[0].patches[0]: unknown topic",
        ),
        ("[drop]", '[[arm]]\nname = "a"\nmodel = "gpt"\n[drop]', "line 15: arm[0].model: 'gpt' is no model"),
        (
            "[drop]",
            '[[arm]]\nname = "a"\nstrategy = "gredy"\n[drop]',
            "line 15: arm[0].strategy: unknown strategy",
        ),
        ("[drop]", '[[arm]]\nname = "a"\nin_flight = 0\n[drop]', "line 15: arm[0].in_flight: 0; allowed"),
        (
            "version = 1",
            'version = 1\ncontrols = ["sol"]',
            "line 2: controls: unknown control 'sol'; did you mean 'solo'?",
        ),
        ("version = 1", 'version = 1\nextends = "none.toml"', "none.toml: cannot be read"),
        ("version = 1", 'version = 1\nextends = "study.toml"', "goes round"),
        ("version = 1", "version = 1\norder_seed = -1", "line 2: order_seed: -1 is no seed"),
        ("version = 1", "version = 1\nfeedback_size = 5", "line 2: feedback_size: planted does not let"),
    ],
)
def test_a_mistake_is_told_with_file_line_field_and_what_is_allowed(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    path = write(tmp_path, TINY.replace(old, new, 1))

    with pytest.raises((BadSpecification, UnknownName)) as told:
        resolve_file(load_study(path))

    assert says in str(told.value)
    assert "\n" not in str(told.value).replace("\\n", "")


def test_a_contrast_names_arms_that_there_are(tmp_path: Path) -> None:
    text = TINY.replace('primary = "full less solo"\n', "") + (
        '\n[[contrast]]\nname = "c"\ntreatment = "full"\ncontrol = "sollo"\n'
    )

    with pytest.raises(
        BadSpecification, match=r"line 18: contrast\[0\].control: unknown arm 'sollo'; did you mean"
    ):
        resolve_file(load_study(write(tmp_path, text)))


def test_dropped_roles_and_controls_become_arms_with_contrasts(tmp_path: Path) -> None:
    design = load(tmp_path, TINY)

    assert [(arm.name, arm.kind) for arm in design.arms] == [
        ("full", "treatment"),
        ("no-reviewer.vacuous", "treatment"),
        ("no-reviewer.absorbed", "treatment"),
        ("solo", "control"),
        ("best-of-n", "control"),
        ("random-search", "control"),
        ("merge", "control"),
    ]
    assert design.primary == Contrast(name="full less solo", treatment="full", control="solo", primary=True)
    assert design.arms[1].levels == {"removed": "reviewer", "sense": "vacuous"}


def test_factors_make_an_arm_of_every_combination(tmp_path: Path) -> None:
    text = TINY.replace(
        '[drop]\nroles = ["reviewer"]',
        '[factors]\nstrategy = ["greedy", "random"]\npatch = ["none", "mute reviews"]',
    )

    design = load(tmp_path, text.replace('primary = "full less solo"', "controls = []"))

    assert [arm.name for arm in design.arms] == [
        "greedy+none",
        "greedy+mute-reviews",
        "random+none",
        "random+mute-reviews",
    ]
    assert design.arms[3].levels == {"strategy": "random", "patch": "mute reviews"}
    assert design.arms[3].patches == ("mute reviews",)


def test_a_file_extends_another_and_lists_replace_lists(tmp_path: Path) -> None:
    write(tmp_path, TINY, "base.toml")

    design = load(
        tmp_path, 'version = 1\nextends = "base.toml"\ntasks = ["battle-of-sexes"]\n[seeds]\ncount = 5\n'
    )

    assert design.tasks == ("battle-of-sexes",)
    assert len(design.seeds) == 5
    assert design.budget.evaluations == 6
    assert len(design.pilot_seeds) == 1


def test_a_mistake_in_the_extended_file_is_told_with_that_file(tmp_path: Path) -> None:
    write(tmp_path, TINY.replace("evaluations = 6", "evaluatons = 6"), "base.toml")
    path = write(tmp_path, 'version = 1\nextends = "base.toml"\n[budget]\ntokens = 5\n')

    with pytest.raises(BadSpecification, match=r"^base\.toml, line 7: budget\.evaluatons"):
        load_study(path)


def test_team_and_patch_files_are_found_beside_the_study_file(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    team = Path(__file__).parents[3] / "roles" / "teams" / "full.toml"
    write(tmp_path / "parts", team.read_text().replace('"full"', '"mine"'), "team.toml")
    write(tmp_path / "parts", 'version = 1\npatches = ["mute reviews", "duplicate coder 2"]\n', "quiet.toml")
    arm = '[[arm]]\nname = "a"\nteam = "parts/team.toml"\npatches = ["parts/quiet.toml", "mute results"]\n'

    design = load(tmp_path, TINY.replace('primary = "full less solo"\n', "") + arm)

    assert design.arms[0].team == msgspec.structs.replace(named_team("full"), name="mine")
    assert design.arms[0].patches == ("mute reviews", "duplicate coder 2", "mute results")


def test_overrides_set_fields_and_are_kept(tmp_path: Path) -> None:
    loaded = load_study(
        write(tmp_path, TINY),
        overrides=("budget.evaluations=40", 'tasks=["planted", "battle-of-sexes"]', "name=other"),
    )

    assert loaded.design.budget.evaluations == 40
    assert loaded.design.tasks == ("planted", "battle-of-sexes")
    assert loaded.design.name == "other"
    assert loaded.overrides[0] == "budget.evaluations=40"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("seeds.cont=3", "--set seeds.cont=3: seeds.cont: there is no such field; did you mean 'count'?"),
        ("seeds=3", "--set seeds=3: seeds: must be a table, not a whole number"),
        ("tasks.first=3", "tasks is no table; set it as a whole"),
        ("nothing", "--set nothing: is no override; write it as budget.evaluations=40"),
        ('tasks=["x"]', "--set tasks=[\"x\"]: tasks[0]: unknown task 'x'"),
    ],
)
def test_a_wrong_override_is_told_as_it_was_given(override: str, says: str, tmp_path: Path) -> None:
    path = write(tmp_path, TINY)

    with pytest.raises(BadSpecification) as told:
        resolve_file(load_study(path, overrides=(override,)))

    assert says in str(told.value)


@given(count=st.integers(1, 50), evaluations=st.integers(1, 10_000), order=st.integers(0, 2**40))
def test_an_override_says_the_same_as_the_file(
    count: int, evaluations: int, order: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("study")
    overridden = load(
        folder, TINY, f"seeds.count={count}", f"budget.evaluations={evaluations}", f"order_seed={order}"
    )

    written = TINY.replace("count = 3", f"count = {count}").replace(
        "evaluations = 6", f"evaluations = {evaluations}"
    )

    assert load(folder, f"order_seed = {order}\n{written}") == overridden


@given(first=st.integers(0, 9), second=st.integers(0, 9))
def test_the_last_of_two_overrides_of_a_field_stands(
    first: int, second: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("study")

    design = load(folder, TINY, f"order_seed={first}", f"order_seed={second}")

    assert design.order_seed == second


seed = st.integers(0, 10**6)
seeds = st.builds(Seeds, task=seed, team=seed, evaluation=seed)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
arms = st.builds(
    ArmDesign,
    name=st.from_regex(r"[a-z][a-z0-9.+-]{0,8}", fullmatch=True),
    team=st.sampled_from(["full", "random-search", named_team("full"), named_team("best-of-n")]),
    patches=st.lists(st.sampled_from(["mute reviews", "duplicate coder 2"]), max_size=2, unique=True).map(
        tuple
    ),
    strategy=st.sampled_from(
        [None, StrategySpec(kind="greedy"), StrategySpec(kind="greedy", settings={"drafts": 2})]
    ),
    in_flight=st.sampled_from([None, 1, 4]),
    kind=st.sampled_from(["treatment", "control", "reference"]),
    label=words,
    levels=st.dictionaries(words, words, max_size=2),
)


@st.composite
def designs(draw: st.DrawFn) -> Design:
    drawn = draw(st.lists(arms, min_size=1, max_size=4, unique_by=lambda arm: arm.name))
    names = [arm.name for arm in drawn]
    pairs = st.builds(
        Contrast,
        name=words,
        treatment=st.sampled_from(names),
        control=st.sampled_from(names),
        primary=st.booleans(),
    )
    blocks = draw(st.lists(seeds, min_size=1, max_size=4, unique=True))
    return Design(
        name=draw(st.from_regex(r"[a-z][a-z0-9.+-]{0,8}", fullmatch=True)),
        question=draw(words),
        tasks=tuple(
            draw(st.lists(st.sampled_from(["planted", "3-sat", "battle-of-sexes"]), min_size=1, unique=True))
        ),
        arms=tuple(drawn),
        contrasts=tuple(draw(st.lists(pairs, max_size=3))),
        seeds=tuple(blocks),
        pilot_seeds=tuple(draw(st.lists(seeds, max_size=2))),
        budget=Budget(
            evaluations=draw(st.integers(1, 99)), cost_usd=draw(st.sampled_from([None, 0.1, 1e-7, 3.0]))
        ),
        order_seed=draw(seed),
        notes=tuple(draw(st.lists(words, max_size=2))),
    )


@given(designs())
def test_a_design_written_as_a_file_is_read_back_as_itself(design: Design) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text(study_text(design), encoding="utf-8")

        assert load_study(path).design == design


def test_the_studies_that_ship_resolve() -> None:
    assert study_names() == ("flagship", "models")

    for name in study_names():
        resolved = resolve_file(load_study(find_study(name)))
        assert len(resolved.plan.specs) == len(resolved.blocks) * len(resolved.design.arms)
        assert resolved.design.primary is not None


def test_an_unknown_study_is_told_what_ships() -> None:
    with pytest.raises(UnknownName, match="unknown study 'flagshp'; did you mean 'flagship'"):
        find_study("flagshp")


def test_the_study_file_of_the_docs_resolves(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "studies.md").read_text(encoding="utf-8")

    resolved = resolve_file(load_study(write(tmp_path, page.split("```toml\n")[1].split("```")[0])))

    assert len(resolved.plan.specs) == 12 * 7
