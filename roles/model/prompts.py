"""The texts that tell a model its part: files beside the code, named in a record by their hashes.

A prompt is a file ``NAME.md``. It may begin with a head in TOML between two lines ``+++``: its ``version``, and the
``tools`` that its role gets beside those that its function cannot do without. A team can bring its own texts by name.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from engine.errors import BadSpecification, UnknownName

_FOLDER = Path(__file__).parent.parent / "prompts"
_FENCE = "+++\n"
MOST_CHARACTERS = 50_000

TOOLS: dict[str, tuple[str, ...]] = {
    "hypothesizer": ("view", "search", "shell", "run_python", "remember", "recall", "status", "literature"),
    "coder": (
        "view",
        "search",
        "edit",
        "write_file",
        "shell",
        "run_python",
        "remember",
        "recall",
        "ask",
        "status",
        "literature",
    ),
    "experimenter": ("view", "search", "shell", "run_python", "remember", "recall", "ask", "status"),
    "reviewer": (
        "view",
        "search",
        "shell",
        "run_python",
        "remember",
        "recall",
        "ask",
        "status",
        "literature",
    ),
    "solo": (
        "view",
        "search",
        "edit",
        "write_file",
        "shell",
        "run_python",
        "remember",
        "recall",
        "status",
        "literature",
    ),
}
"""What a role may be given: a role whose function is not code changes no file, and only experimenters evaluate."""


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int = 1
    tools: tuple[str, ...] | None = None


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """A text and what its head says."""

    name: str
    version: int
    tools: tuple[str, ...]
    text: str


def read_prompt(name: str, own: Mapping[str, str] | None = None) -> Prompt:
    """A prompt by the name of its file, without the ending; a team's own text goes before the one that ships.

    Raises:
        UnknownName: with what was probably meant.
        BadSpecification: its head cannot be read, or names a tool that the role may not have.
    """
    return parse_prompt(name, (own or {}).get(name) or _shipped(name))


def prompt(name: str, own: Mapping[str, str] | None = None) -> str:
    """The text alone. Raises as `read_prompt`."""
    return read_prompt(name, own).text


@cache
def parse_prompt(name: str, whole: str) -> Prompt:
    """A prompt from the content of its file. Raises as `read_prompt`."""
    if name not in prompt_names():
        raise UnknownName("prompt", name, prompt_names())
    if len(whole) > MOST_CHARACTERS:
        raise BadSpecification(
            f"prompts.{name}", f"{len(whole)} characters; at most {MOST_CHARACTERS} are allowed"
        )
    head, text = _Head(), whole
    if whole.startswith(_FENCE):
        raw, fence, text = whole[len(_FENCE) :].partition(f"\n{_FENCE}")
        if not fence:
            raise BadSpecification(f"prompts.{name}", "its head has no end; put a line +++ after it")
        try:
            head = msgspec.convert(tomllib.loads(raw), type=_Head)
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise BadSpecification(f"prompts.{name}", f"its head cannot be read: {error}") from error
    allowed = TOOLS.get(name, ())
    for tool in head.tools or ():
        if tool not in allowed:
            raise BadSpecification(
                f"prompts.{name}", f"{tool!r} is no tool for it; allowed: {', '.join(allowed) or 'none'}"
            )
    return Prompt(
        name=name,
        version=head.version,
        tools=allowed if head.tools is None else head.tools,
        text=text.strip(),
    )


def read_folder(folder: Path) -> dict[str, str]:
    """The prompts of a user's folder, by name.

    Raises:
        UnknownName, BadSpecification: as `read_prompt`; and where the folder cannot be read, or holds none.
    """
    try:
        texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))}
    except (OSError, UnicodeDecodeError) as error:
        raise BadSpecification("prompts", f"{folder} cannot be read: {error}") from error
    if not texts:
        raise BadSpecification(
            "prompts", f"there is no NAME.md in {folder}; names are {', '.join(prompt_names())}"
        )
    check_prompts(texts)
    return texts


def check_prompts(own: Mapping[str, str]) -> None:
    """Refuse texts that are no prompts. Raises as `read_prompt`."""
    for name, whole in own.items():
        parse_prompt(name, whole)


@cache
def prompt_names() -> tuple[str, ...]:
    """Every prompt there is."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.md")))


def prompt_digests(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """SHA-256 (hex) of every prompt's file, by name: what a record of a model-driven team has to name."""
    texts = {name: (own or {}).get(name) or _shipped(name) for name in prompt_names()}
    return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}


@cache
def _shipped(name: str) -> str:
    path = _FOLDER / f"{name}.md"
    if name not in prompt_names():
        raise UnknownName("prompt", name, prompt_names())
    return path.read_text(encoding="utf-8")
