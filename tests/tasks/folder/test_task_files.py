"""A damaged task file is told by file, line, field and fault."""

from pathlib import Path

import pytest

from engine.errors import BadSpecification
from tasks.package import TaskFile
from tasks.specification import decode_toml, read_toml

GOOD = """\
[card]
id = "toy"
title = "Toy"
version = 1
metric = "Score"
direction = "max"
baseline = 0.5

[artefact]
required = ["a.py"]
"""


def test_a_good_file_is_read() -> None:
    assert decode_toml(GOOD, TaskFile, where="task.toml").card.baseline == 0.5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 1", 'version = "1"', "task.toml:4: `card.version`: expected `int`, got `str`"),
        ("metric =", "metrik =", "task.toml:5: `card`: has unknown field `metrik`; allowed: id, "),
        (
            'direction = "max"',
            'direction = "up"',
            "task.toml:6: `card.direction`: invalid enum value 'up'; allowed: 'max', 'min'",
        ),
        ('required = ["a.py"]', "", "task.toml:9: `artefact`: lacks required field `required`"),
        ("[artefact]", "[artefact", "task.toml:9: not TOML"),
        ("baseline = 0.5", "baseline = 0.5\nbaseline = 1", "task.toml:8: not TOML"),
    ],
)
def test_a_fault_is_told_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(BadSpecification) as caught:
        decode_toml(GOOD.replace(old, new, 1), TaskFile, where="task.toml")

    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_told(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(BadSpecification, match="cannot be read"):
        read_toml(path, TaskFile)
