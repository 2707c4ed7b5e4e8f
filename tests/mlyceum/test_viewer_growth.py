"""A study of very many episodes: no page grows with it, and nobody holds it whole."""

from pathlib import Path

import pytest
from viewed import asker, write_many

from mlyceum.viewer.web.catalogue import CHUNK, Catalogue, Filter

PATHS = (
    "/api/studies",
    "/api/s/s",
    "/api/s/s/episodes",
    "/api/s/s/episodes?sort=final&desc&offset=150",
    "/api/s/s/episodes?q=solo+seed",
    "/api/s/s/arms?task=planted",
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("small") / "s", 1_000, padding=10)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_many(tmp_path_factory.mktemp("large") / "s", 4_000, padding=10)


@pytest.mark.parametrize("path", PATHS)
async def test_no_document_grows_with_the_study(small: Path, large: Path, path: str) -> None:
    sizes = []
    for study in (small, large):
        async with asker(study) as client:
            answer = await client.get(path)
            assert answer.status_code == 200
            sizes.append(len(answer.content))

    assert sizes[1] < sizes[0] * 1.05 + 200  # numbers have more digits


async def test_pages_follow_each_other_without_gap_or_repetition(small: Path) -> None:
    seen: list[str] = []
    async with asker(small) as client:
        for offset in range(0, 1_000, 50):
            page = (await client.get(f"/api/s/s/episodes?sort=final&offset={offset}")).json()["page"]
            seen += [row["episode"] for row in page["rows"]]

    assert len(seen) == len(set(seen)) == 1_000


def test_results_are_decoded_a_chunk_at_a_time(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.index import Index

    sizes: list[int] = []
    page = Index.page

    def counted(index: Index, *, after: int = 0, most: int = 500) -> tuple[tuple[int, bytes], ...]:
        found = page(index, after=after, most=most)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(Index, "page", counted)
    monkeypatch.setattr(Index, "results", None)
    catalogue = Catalogue(small)
    catalogue.page(Filter(), sort="episode", descending=False, offset=0)
    catalogue.close()

    assert sum(sizes) == 1_000
    assert max(sizes) <= CHUNK


def test_a_second_look_reads_no_result_again(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlyceum.viewer.web import catalogue as module

    catalogue = Catalogue(small)
    catalogue.totals()
    monkeypatch.setattr(module, "_decoder", None)

    assert catalogue.totals().ended == 1_000
    catalogue.close()


def test_an_index_of_any_size_is_read_in_portions_and_says_so(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlyceum.viewer.web import catalogue as module

    monkeypatch.setattr(module, "MOST_AT_ONCE", 500)
    catalogue = Catalogue(small)
    looks = [catalogue.totals() for _ in range(3)]
    catalogue.close()

    assert [(look.ended, look.behind) for look in looks] == [(500, True), (1_000, False), (1_000, False)]
