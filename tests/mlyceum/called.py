"""The command line in this process: what it printed, and the status it would end with."""

from typing import NamedTuple

import pytest

from mlyceum.cli import main


class Called(NamedTuple):
    status: int
    out: str
    err: str


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> Called:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return Called(int(ended.value.code or 0), said.out, said.err)


def assert_sentence(called: Called, *, says: str, status: int = 2) -> None:
    """One sentence on stderr, nothing on stdout."""
    assert called.status == status, called
    assert not called.out
    assert called.err.startswith("mlyceum: ")
    assert called.err.count("\n") == 1, called.err
    assert says in called.err, called.err
