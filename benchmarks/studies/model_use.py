"""What a run may put before its models: nothing, or a cache of completions."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from engine.errors import OutputUnusable
from engine.models.cache import Cached, CacheUse, CompletionCache
from engine.models.cache_store import open_cache_store
from engine.models.interface import Model


class ModelUse(Protocol):
    """Something between a study and its models."""

    def prepare(self, folder: Path) -> None:
        """Before a study's folder is worked in."""
        ...

    def around(self, model: Model, endpoint: str) -> Model:
        """The model as the study sees it; ``endpoint`` names where it is served."""
        ...

    def used(self) -> CacheUse | None:
        """For the record of the run, when it ends."""
        ...

    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know."""
        ...


class Direct:
    """Nothing between a study and its models."""

    def prepare(self, folder: Path) -> None:
        """Nothing to prepare."""

    def around(self, model: Model, endpoint: str) -> Model:  # noqa: ARG002 - a cache needs it
        """The model itself."""
        return model

    def used(self) -> CacheUse | None:
        """Nothing to record."""
        return None

    def notes(self) -> tuple[str, ...]:
        """Nothing to know."""
        return ()


class ThroughCache:
    """A cache of completions before every model.

    Args:
        cache: shared by the models.
        folder: where it lies, as the user named it; for the record.
    """

    def __init__(self, cache: CompletionCache, folder: Path) -> None:
        self._cache, self._folder = cache, folder

    def prepare(self, folder: Path) -> None:
        """Give a new study the cache's secret instead of one of its own.

        What a model is asked holds scores, and a judge's draws hang on the secret: with another one no run would ask
        what an earlier one asked.

        Raises:
            OutputUnusable: the secret cannot be kept.
        """
        secret = folder / "secret"
        try:
            if not secret.exists():
                _write_secret(secret, _secret_of(self._folder))
        except OSError as error:
            raise OutputUnusable(
                f"cannot write {secret}: {error.strerror or error}; free some space"
            ) from error

    def around(self, model: Model, endpoint: str) -> Model:
        """The model behind the cache."""
        return Cached(model, self._cache, endpoint=endpoint)

    def used(self) -> CacheUse | None:
        """What the cache did in this run."""
        tally = self._cache.tally
        return CacheUse(
            folder=str(self._folder),
            is_scoped=self._cache.is_scoped,
            hits=tally.hits,
            misses=tally.misses,
            saved_usd=tally.saved_usd,
            saved_tokens=tally.saved_tokens,
        )

    def notes(self) -> tuple[str, ...]:
        """How much came from the cache, and what that does to comparisons."""
        tally = self._cache.tally
        if not tally.hits + tally.misses:
            return ()
        said = (
            f"{tally.hits} of {tally.hits + tally.misses} model calls were answered from the cache {self._folder}: "
            f"{tally.saved_usd:.4g} USD of what was charged was not paid again"
        )
        if self._cache.is_scoped:
            return (said,)
        return (said, "equal requests of all seeds and arms share one completion: not for comparisons")


@contextmanager
def open_model_use(cache: Path | None, *, is_scoped: bool) -> Generator[ModelUse]:
    """What a run puts before its models.

    Args:
        cache: folder of a cache of completions; None: no cache.
        is_scoped: whether the cache keeps calls of other blocks, arms and places apart.

    Raises:
        OutputUnusable: the cache cannot be used.
    """
    if cache is None:
        yield Direct()
        return
    with open_cache_store(cache) as store:
        yield ThroughCache(CompletionCache(store, is_scoped=is_scoped), cache)


def _secret_of(cache: Path) -> bytes:
    """Random bytes that belong to a cache, made once, whoever comes first."""
    path = cache / "secret"
    if not path.exists():
        _write_secret(path, secrets.token_bytes(32))
    return path.read_bytes()


def _write_secret(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one that is there stays."""
    partial = path.with_name(f".secret.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    try:
        os.link(partial, path)
    except FileExistsError:
        pass  # another process was faster
    finally:
        partial.unlink(missing_ok=True)
