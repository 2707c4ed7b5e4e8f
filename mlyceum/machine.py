"""What this machine can isolate and run: the checks of `mlyceum doctor`. Names of keys only, never what they hold."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from engine.errors import EngineError
from engine.models.endpoint import default_endpoints
from engine.scheduler import usable_cores
from engine.workspace import cgroup, profile
from engine.workspace.interface import IsolationReport

Standing: TypeAlias = Literal["ok", "note", "missing"]
"""``missing`` stops `mlyceum run` from working sandboxed; a ``note`` does not."""
OLDEST_PYTHON = (3, 11)
PACKAGES = ("trio", "anyio", "httpx", "docker", "msgspec", "numpy", "click", "rich")
LEAST_FREE_BYTES = 1 << 30
_SWITCHES = (
    ("user.max_user_namespaces", "/proc/sys/user/max_user_namespaces", "0"),
    ("kernel.unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone", "0"),
    (
        "kernel.apparmor_restrict_unprivileged_userns",
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ),
)
"""Kernel switches of user namespaces: name, where it is read, and the value that forbids them."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    name: str
    standing: Standing
    found: str
    remedy: str = ""
    """What to do, where something is missing or could be better."""


class ModelKey(msgspec.Struct, frozen=True, kw_only=True):
    """An environment variable that holds a key; its value is never looked at beyond being there."""

    endpoint: str
    variable: str
    present: bool
    needed: bool
    """False where the endpoint may run without a key."""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `mlyceum doctor` says."""

    can_run: bool
    """Whether `mlyceum run` can work sandboxed here."""
    checks: tuple[Check, ...]
    isolation: IsolationReport
    model_keys: tuple[ModelKey, ...]


def diagnose(
    isolation: IsolationReport, *, output: Path, environ: Mapping[str, str] | None = None
) -> Diagnosis:
    """Look at this machine.

    Args:
        isolation: what the sandbox's self-test reported.
        output: where studies would be written.
        environ: instead of the process's environment.
    """
    environ = os.environ if environ is None else environ
    checks = (
        _python(),
        _packages(),
        Check(name="cores", standing="ok", found=f"{usable_cores()} usable"),
        _bubblewrap(),
        _user_namespaces(),
        _control_groups(),
        _sandbox(isolation),
        _output(output),
        _git(),
    )
    return Diagnosis(
        can_run=all(check.standing != "missing" for check in checks),
        checks=checks,
        isolation=isolation,
        model_keys=model_keys(environ),
    )


def model_keys(environ: Mapping[str, str]) -> tuple[ModelKey, ...]:
    """The variables that endpoints read their keys from."""
    return tuple(
        ModelKey(
            endpoint=endpoint.name,
            variable=endpoint.key_env,
            present=bool(environ.get(endpoint.key_env, "").strip()),
            needed=not endpoint.is_key_optional,
        )
        for endpoint in default_endpoints()
        if endpoint.key_env is not None
    )


def _python() -> Check:
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < OLDEST_PYTHON:
        return Check(name="python", standing="missing", found=found, remedy="install Python 3.11 or newer")
    return Check(name="python", standing="ok", found=found)


def _packages() -> Check:
    found: list[str] = []
    absent: list[str] = []
    for name in ("mlyceum", *PACKAGES):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    if absent:
        remedy = "install again: pip install mlyceum"
        return Check(name="packages", standing="missing", found=f"absent: {', '.join(absent)}", remedy=remedy)
    return Check(name="packages", standing="ok", found=", ".join(found))


def _bubblewrap() -> Check:
    remedy = "install it: apt-get install bubblewrap (0.8 or newer)"
    known = profile.bubblewrap()
    if known is None:
        return Check(name="bubblewrap", standing="missing", found="not installed", remedy=remedy)
    path, number = known
    found = f"{number[0]}.{number[1]} ({path})"
    if not profile.is_recent(number):
        return Check(name="bubblewrap", standing="missing", found=found, remedy=remedy)
    return Check(name="bubblewrap", standing="ok", found=found)


def _user_namespaces() -> Check:
    """The switches only: whether a namespace can be had is what the self-test finds out."""
    values: list[str] = []
    forbidden: list[str] = []
    for name, path, forbids in _SWITCHES:
        try:
            value = Path(path).read_text().strip()
        except OSError:
            continue
        values.append(f"{name} = {value}")
        if value == forbids:
            forbidden.append(name)
    found = ", ".join(values) or "no switches on this kernel"
    if not forbidden:
        return Check(name="user namespaces", standing="ok", found=found)
    remedy = "; ".join(
        f"sysctl -w {name}={'0' if 'apparmor' in name else '28633' if 'max' in name else '1'}"
        for name in forbidden
    )
    return Check(name="user namespaces", standing="note", found=found, remedy=remedy)


def _control_groups() -> Check:
    homes = cgroup.find_homes() if os.geteuid() == 0 else cgroup.NO_HOMES
    if homes.limits_memory:
        kind = "version 2" if homes.unified else "version 1"
        return Check(name="control groups", standing="ok", found=f"writable ({kind})")
    return Check(
        name="control groups",
        standing="note",
        found="not writable: memory is limited for each process, not for a sandbox as a whole",
        remedy="run as root, or in a container with a writable /sys/fs/cgroup",
    )


def _sandbox(isolation: IsolationReport) -> Check:
    if not isolation.missing:
        return Check(name="sandbox", standing="ok", found="isolates; every attack of the self-test failed")
    return Check(
        name="sandbox",
        standing="missing",
        found=f"not enforced: {', '.join(isolation.missing)}",
        remedy="; ".join(isolation.notes)
        or "; ".join(fact.by for fact in isolation.facts if not fact.enforced),
    )


def _output(output: Path) -> Check:
    name = "output folder"
    there = next(place for place in (output, *output.absolute().parents) if place.exists())
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check(
            name=name, standing="missing", found=f"{there}: {error.strerror}", remedy="use another --out"
        )
    found = f"{output}: {free / 2**30:,.1f} GiB free"
    if not os.access(there, os.W_OK) or not there.is_dir():
        return Check(
            name=name, standing="missing", found=f"{output}: not writable", remedy="use another --out"
        )
    if free < LEAST_FREE_BYTES:
        return Check(
            name=name, standing="note", found=found, remedy="free some space; a study takes some 100 MB"
        )
    return Check(name=name, standing="ok", found=found)


def _git() -> Check:
    found = _said(["git", "--version"])
    if found is None:
        return Check(name="git", standing="note", found="not installed", remedy="apt-get install git")
    return Check(name="git", standing="ok", found=found.removeprefix("git version "))


def _said(command: list[str]) -> str | None:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def self_test() -> IsolationReport:
    """Attack the sandbox of this machine (about a second), and report what held.

    Raises:
        EngineError: when not even that can be tried.
    """
    import trio

    from engine.workspace.sandbox import Sandbox

    try:
        return trio.run(Sandbox().self_test)
    except OSError as error:
        raise EngineError(f"the self-test of the sandbox broke off ({error}); report this") from error
