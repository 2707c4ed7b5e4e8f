"""`mlyceum show --svg`: a picture that stands alone."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from called import assert_sentence, call
from written_studies import write_study

EPISODE = "battle-of-sexes--full--seed-1"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("picture") / "study", seeds=1, evaluations=4)


def test_a_picture_holds_the_messages_and_asks_no_server(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "messages.svg"

    said = call(capsys, "show", study / EPISODE, "--messages", "--svg", picture)

    assert (said.status, said.out) == (0, "")
    text = picture.read_text()
    assert "IdeaRequest" in "".join(ET.fromstring(text).itertext())
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_picture_that_cannot_be_written_is_one_sentence(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = call(capsys, "show", study / EPISODE, "--svg", tmp_path / "nowhere" / "x.svg")

    assert_sentence(said, says="name another file")
