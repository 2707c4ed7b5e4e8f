"""What agents write is text, whatever it says; what is not the study's is not served, however it is asked for."""

import os
import unicodedata
from pathlib import Path

import pytest
from viewed import HOSTILE, asker, strings, write_hostile, written

from mlyceum.viewer.web.visible import visible

PATHS = (
    "/api/s/s/e/hostile",
    "/api/s/s/e/hostile/timeline?first=0",
    "/api/s/s/e/hostile/node/1",
    "/api/s/s/e/hostile/entry?key=m-3",
    "/api/s/s/e/hostile/entry?key=d-3",
    "/api/s/s/e/hostile/entry?key=c-coder-1",
    "/api/s/s/e/hostile/entry?key=c-hypothesizer-1",
    "/api/s/s/together?e=hostile",
)


@pytest.mark.parametrize("path", PATHS)
async def test_no_document_holds_a_character_that_acts_unseen(tmp_path: Path, path: str) -> None:
    async with asker(write_hostile(tmp_path / "s")) as client:
        answer = await client.get(path)

    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    texts = "".join(strings(answer.json())).replace("\n", "").replace("\t", "")
    assert "script" in texts
    assert not [c for c in texts if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co")]


def test_what_is_unseen_is_shown_by_its_picture_or_code() -> None:
    assert visible("a\u202eb\x1b[31m\x7f\u200b\ud800") == "a⟨U+202E⟩b␛[31m␡⟨U+200B⟩⟨U+D800⟩"


def test_ordinary_text_of_any_script_stays_as_it_is() -> None:
    text = "Grüße, שלום, 日本語, 😀\n\tx"

    assert visible(text) == text


async def test_a_long_output_is_cut_with_the_way_to_the_whole(tmp_path: Path) -> None:
    output = "<script>" + "x" * 3_000_000 + "end"
    async with asker(write_hostile(tmp_path / "s", output=output)) as client:
        timeline = await client.get("/api/s/s/e/hostile/timeline?first=0")
        entry = await client.get("/api/s/s/e/hostile/entry?key=c-coder-1")
        line = entry.json()["lines"][1]
        cut = line["cuts"][0]
        whole = await client.get(f"/raw/s/s/e/hostile/text?order={line['order']}&at={cut['at']}")

    assert cut == {"at": "outcome/stdout", "characters": len(output)}
    assert len(entry.content) < 100_000
    assert len(timeline.content) < 100_000
    assert whole.text == output
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.headers["x-content-type-options"] == "nosniff"


@pytest.mark.slow
async def test_a_hundred_megabytes_of_output_leave_little_in_memory(tmp_path: Path) -> None:
    import resource

    study = write_hostile(tmp_path / "s", output="y" * 100_000_000)
    async with asker(study) as client:
        entry = await client.get("/api/s/s/e/hostile/entry?key=c-coder-1")
        read = 0
        async with client.stream("GET", "/raw/s/s/e/hostile/text?order=9&at=outcome/stdout") as whole:
            async for piece in whole.aiter_bytes():
                read += len(piece)

    assert len(entry.content) < 100_000
    assert read == 100_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000  # kilobytes


@pytest.mark.parametrize(
    "path",
    [
        "/api/s/../e/x",
        "/api/s/..%2f..%2fetc/e/passwd",
        "/api/s/s/e/..%2f..%2f..%2fsecret",
        "/api/s/s/e/..%2fhostile",
        "/api/s/s/e/%00",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2fapp.py",
        "/raw/s/s/content/..%2f..%2fsecret",
        "/raw/s/s/content/" + "0" * 64,
        "/raw/s/s/e/hostile/text?order=1&at=../../secret",
        "/raw/s/s/diff/..%2fsecret/..%2fsecret",
    ],
)
async def test_no_path_leads_out_of_the_study(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("key")
    async with asker(write_hostile(tmp_path / "s")) as client:
        answer = await client.get(path)

    assert answer.status_code == 404
    assert "key" not in answer.text


async def test_links_in_a_study_are_not_followed(tmp_path: Path) -> None:
    outside = write_hostile(tmp_path / "outside")
    study = await written(tmp_path / "s", evaluations=4)
    (study / "episodes" / "linked").symlink_to(outside / "episodes" / "hostile")
    (study / "episodes" / "halfway").mkdir()
    (study / "episodes" / "halfway" / "journal.jsonl").symlink_to(
        outside / "episodes" / "hostile" / "journal.jsonl"
    )

    async with asker(study) as client:
        answers = [await client.get(f"/api/s/s/e/{name}") for name in ("linked", "halfway")]

    assert [answer.status_code for answer in answers] == [404, 404]


async def test_an_archive_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    from engine.store import ArtefactStore

    kept = ArtefactStore(tmp_path / "outside").put({"a": b"1"})
    study = await written(tmp_path / "s", evaluations=4)
    (study / "artefacts").rename(study / "before")
    (study / "artefacts").symlink_to(tmp_path / "outside")

    async with asker(study) as client:
        answer = await client.get(f"/raw/s/s/content/{kept}")

    assert answer.status_code == 404


async def test_a_content_that_is_not_what_its_name_says_is_not_served(tmp_path: Path) -> None:
    study = await written(tmp_path / "s", evaluations=4)
    name = "ab" + "0" * 62
    place = study / "artefacts" / "ab" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("something else")

    async with asker(study) as client:
        assert (await client.get(f"/raw/s/s/content/{name}")).status_code == 404


async def test_a_pipe_in_the_place_of_a_journal_holds_nobody_up(tmp_path: Path) -> None:
    study = await written(tmp_path / "s", evaluations=4)
    (study / "episodes" / "pipe").mkdir()
    os.mkfifo(study / "episodes" / "pipe" / "journal.jsonl")

    async with asker(study) as client:
        assert (await client.get("/api/s/s/e/pipe")).status_code == 404


async def test_an_index_or_plan_that_is_nonsense_is_a_sentence_on_the_page(tmp_path: Path) -> None:
    study = write_hostile(tmp_path / "s")
    (study / "index.sqlite").write_bytes(b"nonsense" * 1000)
    (study / "study.json").write_bytes(b'{"episodes": 3}')

    async with asker(study) as client:
        answer = await client.get("/api/s/s")

    assert answer.status_code == 200
    assert "cannot be read" in answer.json()["totals"]["problem"]


def test_the_shell_holds_no_script_of_its_own() -> None:
    from importlib.resources import files

    shell = files("mlyceum.viewer.web").joinpath("static", "index.html").read_text()
    assert shell.count("<script") == 1
    assert 'src="/static/app.js"></script>' in shell
    for module in files("mlyceum.viewer.web").joinpath("static").iterdir():
        if module.name.endswith(".js"):
            text = module.read_text()
            assert not [
                word
                for word in ("innerHTML", "outerHTML", "insertAdjacent", "eval(", "document.write")
                if word in text
            ]


def test_hostile_text_has_what_it_is_to_be_tested_with() -> None:
    assert "<script>" in HOSTILE
    assert "\u202e" in HOSTILE
    assert "\x1b" in HOSTILE
