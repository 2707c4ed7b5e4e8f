"""Environments of tasks: what they may say, how they are built and seen."""

import zipfile
from pathlib import Path

import pytest
import trio

from engine.errors import BadSpecification
from engine.workspace import WorkspaceSpec
from engine.workspace.environment import (
    EnvironmentSpec,
    build_environment,
    cache_folder,
    digest_of,
    load_environment_spec,
)
from engine.workspace.sandbox import Sandbox


def _wheel(folder: Path) -> str:
    """A package of one module, made here: no index is asked."""
    path = folder / "tinypack-1.5-py3-none-any.whl"
    metadata = "tinypack-1.5.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tinypack.py", "ANSWER = 42\n")
        wheel.writestr(f"{metadata}/METADATA", "Metadata-Version: 2.1\nName: tinypack\nVersion: 1.5\n")
        wheel.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        names = ("tinypack.py", f"{metadata}/METADATA", f"{metadata}/WHEEL", f"{metadata}/RECORD")
        wheel.writestr(f"{metadata}/RECORD", "".join(f"{name},,\n" for name in names))
    return f"tinypack @ file://{path}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("MLYCEUM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    "text, said",
    [
        ("requirements = [", "not valid TOML"),
        ("requirement = ['numpy']", "unknown field `requirement`"),
        ("requirements = 'numpy'", "Expected `array`"),
        ("requirements = [1]", "Expected `str`"),
        ("requirements = ['--index-url=http://evil']", "does not begin with a package's name"),
        ("requirements = ['numpy\\n--pre']", "does not begin with"),
        ("requirements = ['']", "does not begin with"),
    ],
)
def test_a_file_that_says_something_else_is_refused_in_one_sentence(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "environment.toml"
    path.write_text(text.replace("'", '"'))

    with pytest.raises(BadSpecification, match=said) as caught:
        load_environment_spec(path)

    assert caught.value.where == str(path)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_requirements_are_the_same_plain_interpreter(tmp_path: Path) -> None:
    (tmp_path / "environment.toml").write_text("requirements = []")

    assert load_environment_spec(tmp_path / "environment.toml") == load_environment_spec(
        tmp_path / "absent.toml"
    )


def test_the_digest_follows_the_requirements_and_not_their_order() -> None:
    one, other, more = (
        EnvironmentSpec(requirements=each) for each in (("a", "b"), ("b", "a"), ("a", "b", "c"))
    )

    assert digest_of(one) == digest_of(other) != digest_of(more)


async def test_nothing_is_built_for_no_requirements(cache: Path) -> None:
    environment = await build_environment(EnvironmentSpec())

    assert environment.prefix is None
    assert environment.digest == digest_of(EnvironmentSpec())
    assert not is_there(cache)


def is_there(path: Path) -> bool:
    return path.exists()


@pytest.mark.slow
async def test_a_built_environment_is_found_again_and_seen_inside(tmp_path: Path, cache: Path) -> None:
    """Two ask at once; the cache lies in a folder that the sandbox's user cannot enter."""
    spec = EnvironmentSpec(requirements=(_wheel(tmp_path),))
    built = []

    async def build() -> None:
        built.append(await build_environment(spec))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(build)
        nursery.start_soon(build)

    assert built[0] == built[1]
    assert any(package.startswith("tinypack") for package in built[0].packages)
    report = await Sandbox().self_test()
    if not report.missing:
        async with Sandbox().open(WorkspaceSpec(environment=built[0])) as workspace:
            warm = await workspace.run_python("import tinypack; print(tinypack.ANSWER)")
            cold = await workspace.run(
                ["python", "-c", "import tinypack, sys; print(tinypack.ANSWER, sys.prefix)"]
            )
            write = await workspace.run_shell(f"echo x >{built[0].prefix}/x")

        assert warm.stdout == b"42\n"
        assert cold.stdout.decode().split() == ["42", str(built[0].prefix)]
        assert b"Read-only file system" in write.stderr


@pytest.mark.slow
async def test_what_cannot_be_installed_is_said_in_one_sentence(cache: Path) -> None:
    spec = EnvironmentSpec(requirements=("tinypack @ file:///nowhere/tinypack-1.5-py3-none-any.whl",))

    with pytest.raises(BadSpecification, match="cannot be installed") as caught:
        await build_environment(spec, where="tasks/x/environment.toml")

    assert "\n" not in str(caught.value)


def test_a_cache_that_belongs_to_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLYCEUM_CACHE", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 4242)

    with pytest.raises(BadSpecification, match="belongs to user"):
        cache_folder()
