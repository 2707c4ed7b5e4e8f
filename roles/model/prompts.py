"""The texts that tell a model its part: files beside the code, named in a record by their hashes."""

import hashlib
from functools import cache
from pathlib import Path

from engine.errors import UnknownName

_FOLDER = Path(__file__).parent.parent / "prompts"


@cache
def prompt(name: str) -> str:
    """A prompt by the name of its file, without the ending.

    Raises:
        UnknownName: with what was probably meant.
    """
    path = _FOLDER / f"{name}.md"
    if not path.is_file():
        raise UnknownName("prompt", name, prompt_names())
    return path.read_text(encoding="utf-8").strip()


@cache
def prompt_names() -> tuple[str, ...]:
    """Every prompt there is."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.md")))


def prompt_digests() -> dict[str, str]:
    """SHA-256 (hex) of every prompt as it is sent, by name: what a record of a model-driven team has to name."""
    return {name: hashlib.sha256(prompt(name).encode()).hexdigest() for name in prompt_names()}
