"""What the viewer's documents say of a study and its episodes, live or finished."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from viewed import asker, hostile_records, put_journal, write_hostile, written
from written_studies import cut_short, write_study

from engine.index import open_index

EPISODE = "battle-of-sexes--full--seed-1"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("runs") / "one", seeds=3, evaluations=8, broken_seeds=(3,))


async def document(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_studies_below_a_folder_are_listed_the_last_changed_first(study: Path) -> None:
    async with asker(study.parent) as client:
        listed = await document(client, "/api/studies")

    assert [row["name"] for row in listed["rows"]] == ["one"]
    assert listed["rows"][0]["ended"] == 3
    assert listed["single"] is None


async def test_a_folder_that_is_a_study_is_the_one_study(study: Path) -> None:
    async with asker(study) as client:
        assert (await document(client, "/api/studies"))["single"] == "one"


async def test_a_link_to_a_study_is_not_listed_twice(study: Path) -> None:
    (study.parent / "latest").symlink_to("one")

    async with asker(study.parent) as client:
        assert (await document(client, "/api/studies"))["total"] == 1


async def test_the_overview_counts_failures_beside_the_mean(study: Path) -> None:
    async with asker(study) as client:
        overview = await document(client, "/api/s/one")

    cell = overview["cells"][0]
    assert (cell["arm"], cell["task"], cell["ended"], cell["scored"]) == ("full", "battle-of-sexes", 3, 2)
    assert cell["mean"] == pytest.approx(sum(cell["points"]) / 2)
    assert overview["tasks"][0]["direction"] == "max"


async def test_episodes_are_filtered_and_sorted_and_those_without_a_score_come_last(study: Path) -> None:
    async with asker(study) as client:
        by_score = await document(client, "/api/s/one/episodes?sort=final&desc")
        by_text = await document(client, "/api/s/one/episodes?q=SEED-2")
        by_problem = await document(client, "/api/s/one/episodes?q=strategy.py+missing")
        by_wildcard = await document(client, "/api/s/one/episodes?q=%25")

    finals = [row["final"] for row in by_score["page"]["rows"]]
    assert finals[2] is None
    assert finals[0] >= finals[1]
    assert [row["seed"] for row in by_text["page"]["rows"]] == [2]
    assert [row["seed"] for row in by_problem["page"]["rows"]] == [3]
    assert by_wildcard["page"]["total"] == 0


async def test_an_episode_has_its_tree_scores_and_neighbours(study: Path) -> None:
    async with asker(study) as client:
        head = await document(client, f"/api/s/one/e/{EPISODE}")

    with open_index(study / "index.sqlite", read_only=True) as index:
        result = index.one(EPISODE)
    assert result is not None
    assert head["state"] == "ended"
    assert head["finals"][0]["value"] == result.final.value
    assert len(head["feedback"]) == result.evaluations
    assert [node["on_path"] for node in head["tree"] if node["handed_in"]] == [True]
    assert head["tree"][0]["id"] == 0
    assert (head["before"], head["after"]) == (None, EPISODE.replace("1", "2"))


async def test_a_nodes_diff_comes_from_the_archive_and_says_so(study: Path) -> None:
    async with asker(study) as client:
        head = await document(client, f"/api/s/one/e/{EPISODE}")
        number = next(node["id"] for node in head["tree"] if node["handed_in"])
        page = await document(client, f"/api/s/one/e/{EPISODE}/node/{number}")
        diff = page["diffs"][-1]
        whole = await client.get(f"/raw/s/one/{diff['raw']}")
        path, digest = diff["files"][0]
        content = await client.get(f"/raw/s/one/content/{digest}")

    assert diff["source"] == "archive"
    assert diff["text"].startswith("--- ")
    assert whole.text == diff["text"]
    assert whole.headers["content-type"] == content.headers["content-type"] == "text/plain; charset=utf-8"
    assert path.endswith(".py")


async def test_every_entry_of_the_timeline_opens_in_full(study: Path) -> None:
    async with asker(study) as client:
        page = await document(client, f"/api/s/one/e/{EPISODE}/timeline?first=0")
        for entry in page["entries"]:
            opened = await document(client, f"/api/s/one/e/{EPISODE}/entry?key={entry['key']}")
            assert opened["lines"][-1]["order"] == entry["order"]

    assert {entry["kind"] for entry in page["entries"]} >= {"message", "score", "command", "decision"}


async def test_a_deep_link_finds_the_page_of_the_timeline_that_has_it(study: Path) -> None:
    async with asker(study) as client:
        page = await document(client, f"/api/s/one/e/{EPISODE}/timeline?around=m-5")

    assert "m-5" in [entry["key"] for entry in page["entries"]]


async def test_the_timeline_is_filtered_by_kind_member_node_and_text(study: Path) -> None:
    url = f"/api/s/one/e/{EPISODE}/timeline?first=0&"
    async with asker(study) as client:
        kinds = await document(client, f"{url}kind=score&kind=command")
        member = await document(client, f"{url}member=coder")
        node = await document(client, f"{url}node=1")
        text = await document(client, f"{url}q=hypothesis")

    assert {entry["kind"] for entry in kinds["entries"]} == {"score", "command"}
    assert all("coder" in (entry["member"], *entry.get("to", ())) for entry in member["entries"])
    assert {entry["node"] for entry in node["entries"]} == {1}
    assert all("hypothesis" in entry["text"].lower() for entry in text["entries"])


async def test_a_model_call_has_its_tokens_and_cost(tmp_path: Path) -> None:
    study = write_hostile(tmp_path / "s")

    async with asker(study) as client:
        head = await document(client, "/api/s/s/e/hostile")
        calls = await document(client, "/api/s/s/e/hostile/timeline?kind=model")

    assert (head["usage"][0]["input_tokens"], head["usage"][0]["cost_usd"]) == (1200, 0.0125)
    assert (calls["entries"][0]["output_tokens"], calls["entries"][0]["cost_usd"]) == (34, 0.0125)


async def test_candidates_of_a_decision_come_with_their_worth(tmp_path: Path) -> None:
    study = write_hostile(tmp_path / "s", text="node 3")

    async with asker(study) as client:
        page = await document(client, "/api/s/s/e/hostile/timeline?kind=decision")

    assert page["entries"][0]["candidates"] == [
        {"name": "node 3", "worth": 1.5},
        {"name": "b", "worth": 0.25},
    ]


async def test_effects_are_shown_as_busy_time_and_the_rest_as_idle(tmp_path: Path) -> None:
    async with asker(write_hostile(tmp_path / "s")) as client:
        head = await document(client, "/api/s/s/e/hostile")

    assert [each["kind"] for each in head["busy"]] == ["model", "command", "score"]
    assert head["busy_fraction"] == pytest.approx(0.5 / head["seconds"])


async def test_arms_and_episodes_are_put_side_by_side(study: Path) -> None:
    async with asker(study) as client:
        arms = await document(client, "/api/s/one/arms?task=battle-of-sexes")
        both = await document(client, f"/api/s/one/together?e={EPISODE}&e={EPISODE.replace('1', '2')}")

    curve = arms["curves"][0]
    assert (curve["arm"], len(curve["episodes"])) == ("full", 3)
    assert len(curve["mean"]) == 9
    assert [head["episode"] for head in both["episodes"]] == [EPISODE, EPISODE.replace("1", "2")]
    assert both["episodes"][0]["curve"][-1]["value"] is not None


async def test_the_curve_of_an_episode_is_the_same_from_its_journal_and_from_its_row(study: Path) -> None:
    async with asker(study) as client:
        arms = await document(client, "/api/s/one/arms")
        head = await document(client, f"/api/s/one/e/{EPISODE}")
    from mlyceum.viewer.web.curves import curve_of_result

    with open_index(study / "index.sqlite", read_only=True) as index:
        result = index.one(EPISODE)
    assert result is not None
    assert head["curve"] == list(msgspec.to_builtins(curve_of_result(result)))
    assert arms["curves"][0]["finals"][0] == result.final.value


async def test_an_interrupted_episode_is_shown_as_far_as_it_went(tmp_path: Path) -> None:
    study = await written(tmp_path / "s", seeds=2, evaluations=8)
    cut_short(study, EPISODE, lines=20)

    async with asker(study) as client:
        listed = await document(client, "/api/s/s/episodes?outcome=interrupted")
        head = await document(client, f"/api/s/s/e/{EPISODE}")

    assert [row["episode"] for row in listed["page"]["rows"]] == [EPISODE]
    assert head["state"] in ("interrupted", "running")
    assert head["finals"] == []


async def test_what_is_appended_to_a_journal_appears_and_a_torn_line_does_not(tmp_path: Path) -> None:
    study = tmp_path / "s"
    records = hostile_records(study)
    path = put_journal(study, "hostile", records[:7])
    url = "/api/s/s/e/hostile"

    async with asker(study) as client:
        first = await document(client, url)
        unchanged = await client.get(f"{url}?known={first['version']}")
        line = msgspec.json.encode(records[7])
        with path.open("ab") as file:
            file.write(line[:30])
        torn = await client.get(f"{url}?known={first['version']}")
        with path.open("ab") as file:
            file.write(line[30:] + b"\n")
        second = await document(client, f"{url}?known={first['version']}")

    assert (unchanged.status_code, torn.status_code) == (204, 204)
    assert second["effects"] == first["effects"] + 1


async def test_a_journal_whose_torn_tail_was_cut_and_written_anew_is_read_on(tmp_path: Path) -> None:
    study = tmp_path / "s"
    records = hostile_records(study)
    path = put_journal(study, "hostile", records[:7])

    async with asker(study) as client:
        await document(client, "/api/s/s/e/hostile")
        put_journal(study, "hostile", records[:4])
        shorter = await document(client, "/api/s/s/e/hostile")
        with path.open("ab") as file:
            file.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records[4:]))
        whole = await document(client, "/api/s/s/e/hostile")

    assert shorter["messages"] == 2
    assert whole["messages"] == 7


async def test_an_episode_that_ends_while_it_is_looked_at_becomes_ended(tmp_path: Path) -> None:
    study = await written(tmp_path / "s", evaluations=4)
    with open_index(study / "index.sqlite", read_only=True) as index:
        result = index.one(EPISODE)
    cut_short(study, EPISODE, lines=10_000)
    assert result is not None

    async with asker(study) as client:
        before = await document(client, "/api/s/s")
        with open_index(study / "index.sqlite") as index:
            index.commit(result)
        after = await document(client, f"/api/s/s?known={before['version']}")

    assert (before["totals"]["ended"], after["totals"]["ended"]) == (0, 1)


async def test_an_index_that_was_made_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    study = await written(tmp_path / "s", seeds=3, evaluations=4)

    async with asker(study) as client:
        assert (await document(client, "/api/s/s"))["totals"]["ended"] == 3
        cut_short(study, EPISODE, lines=5)
        assert (await document(client, "/api/s/s"))["totals"]["ended"] == 2


async def test_episodes_that_the_outside_let_down_say_why(tmp_path: Path) -> None:
    study = await written(tmp_path / "s", seeds=2, evaluations=4)
    cut_short(study, EPISODE, lines=5)
    plan = msgspec.json.decode((study / "study.json").read_bytes())
    plan["runs"] = [{"failed": {EPISODE: "the endpoint refused"}}]
    (study / "study.json").write_bytes(msgspec.json.encode(plan))

    async with asker(study) as client:
        overview = await document(client, "/api/s/s")

    assert [(row["episode"], row["problem"]) for row in overview["failed"]] == [
        (EPISODE, "the endpoint refused")
    ]


async def test_a_damaged_journal_is_shown_up_to_the_damage(tmp_path: Path) -> None:
    study = tmp_path / "s"
    records = hostile_records(study)
    path = put_journal(study, "hostile", records[:5])
    with path.open("ab") as file:
        file.write(b'{"type":"Nonsense"}\n' + msgspec.json.encode(records[5]) + b"\n")

    async with asker(study) as client:
        head = await document(client, "/api/s/s/e/hostile")

    assert head["messages"] == 2
    assert "line 6" in head["problem"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/s/none",
        "/api/s/one/e/none",
        f"/api/s/one/e/{EPISODE}/node/999",
        f"/api/s/one/e/{EPISODE}/entry?key=m-9999",
    ],
)
async def test_what_is_not_there_is_said_in_a_sentence(study: Path, path: str) -> None:
    async with asker(study) as client:
        answer = await client.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"]


async def test_static_files_are_asked_for_again_only_when_they_changed(study: Path) -> None:
    async with asker(study) as client:
        first = await client.get("/static/style.css")
        second = await client.get("/static/style.css", headers={"if-none-match": first.headers["etag"]})

    assert (first.status_code, second.status_code) == (200, 304)
