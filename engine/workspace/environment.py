"""Python environments of tasks, built once and cached outside any home.

A task may say in ``environment.toml`` which packages its code needs::

    requirements = ["numpy>=2", "scikit-learn==1.5.2"]

From that list and the interpreter's version comes a digest, which goes on the record, and a virtual environment in a
cache folder of that name, which sandboxes show read-only. An empty list is the plain interpreter: nothing is built.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tomllib
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path

import msgspec
import trio

from engine.errors import BadSpecification

_MARKER = "mlyceum.json"
_LOCK_LOOK_SECONDS = 0.1
_BUILD_SECONDS = 1_800.0


class EnvironmentSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``environment.toml`` may say."""

    requirements: tuple[str, ...] = ()
    """PEP 508 requirements, in any order; only wheels are installed, never code that runs at installation."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """A built environment: a folder that a sandbox shows read-only."""

    digest: str
    """SHA-256 (hex) over the requirements and the interpreter's version; part of the record."""
    prefix: Path | None = None
    """The virtual environment's folder, or None for the plain interpreter."""
    requirements: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """``name==version`` of everything that was installed; part of the record."""


class _Built(msgspec.Struct, frozen=True, kw_only=True):
    packages: tuple[str, ...]


def load_environment_spec(path: Path) -> EnvironmentSpec:
    """What a task's ``environment.toml`` says; an absent file is the plain interpreter.

    Raises:
        BadSpecification: when it is no TOML, has an unknown field, or a requirement that is none.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return EnvironmentSpec()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSpecification(str(path), f"cannot be read ({error})") from None
    try:
        spec = msgspec.convert(tomllib.loads(text), EnvironmentSpec)
    except tomllib.TOMLDecodeError as error:
        raise BadSpecification(str(path), f"is not valid TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise BadSpecification(str(path), f'{error}; allowed: requirements = ["name==version", …]') from None
    for requirement in spec.requirements:
        if not requirement[:1].isalnum() or any(sign in requirement for sign in "\n\r\0"):
            raise BadSpecification(
                str(path),
                f"requirement {requirement!r} does not begin with a package's name, as in 'numpy>=2'",
            )
    return spec


def digest_of(spec: EnvironmentSpec) -> str:
    """SHA-256 (hex) over the sorted requirements, the interpreter's version and the machine."""
    facts = (sorted(spec.requirements), sys.version, platform.machine(), platform.libc_ver())
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()


def cache_folder() -> Path:
    """Where environments are kept: ``MLYCEUM_CACHE``, or outside any home, where a sandbox's user can read them.

    Raises:
        BadSpecification: when it cannot be made, or belongs to somebody else.
    """
    named = os.environ.get("MLYCEUM_CACHE")
    if named:
        folder = Path(named).absolute()
    elif os.geteuid() == 0:
        folder = Path("/var/cache/mlyceum")
    else:
        folder = Path(f"/var/tmp/mlyceum-{os.geteuid()}")  # noqa: S108 - whose it is is checked below
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        owner = folder.stat().st_uid
    except OSError as error:
        raise BadSpecification(str(folder), f"cannot be made ({error.strerror}); set MLYCEUM_CACHE") from None
    if owner != os.geteuid():
        raise BadSpecification(str(folder), f"belongs to user {owner}, not to us; set MLYCEUM_CACHE")
    return folder


def _environments_folder() -> Path:
    folder = cache_folder() / "environments"
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder


async def build_environment(spec: EnvironmentSpec, *, where: str = "environment.toml") -> Environment:
    """The environment for these requirements, built if it is not in the cache yet.

    Several programs may ask at once: one builds, the others wait. An interrupted build is begun anew.

    Args:
        spec: what to install.
        where: named in errors.

    Raises:
        BadSpecification: when a package cannot be installed; says what the installer said.
    """
    digest = digest_of(spec)
    if not spec.requirements:
        await trio.lowlevel.checkpoint()
        return Environment(digest=digest)
    prefix = _environments_folder() / digest
    async with _locked(prefix.with_suffix(".lock")):
        # Scripts of a virtual environment hold its path, so it cannot be built elsewhere and renamed: what makes it
        # whole is the marker, written last.
        if not _is_whole(prefix):
            await trio.to_thread.run_sync(partial(shutil.rmtree, prefix, ignore_errors=True))
            with trio.fail_after(_BUILD_SECONDS):
                packages = await _build(spec, prefix, where)
            _mark(prefix, _Built(packages=packages))
    return _read(prefix, digest, spec)


def _is_whole(prefix: Path) -> bool:
    return (prefix / _MARKER).exists()


def _mark(prefix: Path, built: _Built) -> None:
    marker = prefix / _MARKER
    trial = marker.with_suffix(".partial")
    trial.write_bytes(msgspec.json.encode(built))
    trial.rename(marker)


def _read(prefix: Path, digest: str, spec: EnvironmentSpec) -> Environment:
    built = msgspec.json.decode((prefix / _MARKER).read_bytes(), type=_Built)
    requirements = tuple(sorted(spec.requirements))
    return Environment(digest=digest, prefix=prefix, requirements=requirements, packages=built.packages)


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncGenerator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await trio.sleep(_LOCK_LOOK_SECONDS)
            else:
                break
        yield
    finally:
        os.close(handle)


def _base_interpreter() -> str:
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


async def _build(spec: EnvironmentSpec, prefix: Path, where: str) -> tuple[str, ...]:
    base = _base_interpreter()
    python = str(prefix / "bin" / "python")
    uv = shutil.which("uv")
    wanted = ["--only-binary", ":all:", "--", *sorted(spec.requirements)]
    if uv is not None:
        await _run([base, "-I", "-m", "venv", "--without-pip", str(prefix)], where)
        # Copies: a link into root's cache could not be followed by the sandbox's user.
        await _run(
            [uv, "pip", "install", "--quiet", "--link-mode", "copy", "--python", python, *wanted], where
        )
        listed = await _run([uv, "pip", "freeze", "--python", python], where)
    else:
        await _run([base, "-I", "-m", "venv", str(prefix)], where)
        await _run([python, "-I", "-m", "pip", "install", "--quiet", *wanted], where)
        listed = await _run([python, "-I", "-m", "pip", "freeze", "--all"], where)
    return tuple(sorted(listed.split("\n"))) if listed else ()


async def _run(command: list[str], where: str) -> str:
    try:
        done = await trio.run_process(
            command, capture_stdout=True, capture_stderr=True, check=False, umask=0o022
        )
    except OSError as error:
        raise BadSpecification(where, f"{command[0]} cannot be started ({error.strerror})") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise BadSpecification(
            where,
            f"cannot be installed; the installer said: {' '.join(said.split())[-400:]} "
            "(is the version right, and the package index in reach?)",
        )
    return done.stdout.decode(errors="replace").strip()
