"""What a call costs, from a table of prices that a user may override."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from engine.errors import BadSpecification
from engine.models.endpoint import Connection
from engine.models.interface import Usage

PRICES_VARIABLE = "MLYCEUM_PRICES"
"""Environment variable that names a user's price file."""

_TABLE = Path(__file__).with_name("prices.toml")
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")
_Usd = Annotated[float, msgspec.Meta(ge=0)]


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars for a million tokens.

    Attributes:
        model: ``provider/name``; a name with a date at its end is looked up with it, then without.
        cached_input: read from the endpoint's cache; None where that costs as much as other input.
        cache_write: written to it; None where that costs as much as other input.
    """

    model: str
    input: _Usd
    output: _Usd
    cached_input: _Usd | None = None
    cache_write: _Usd | None = None

    def cost_usd(self, usage: Usage) -> float:
        """What these tokens cost."""
        cached_price = self.input if self.cached_input is None else self.cached_input
        write_price = self.input if self.cache_write is None else self.cache_write
        cached = min(usage.cached_tokens, usage.input_tokens)
        written = min(usage.cache_write_tokens, usage.input_tokens - cached)
        fresh = usage.input_tokens - cached - written
        asked = fresh * self.input + cached * cached_price + written * write_price
        return (asked + usage.output_tokens * self.output) / 1e6


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    price: tuple[Price, ...] = ()


def load_prices(path: Path | None) -> Mapping[str, Price]:
    """The shipped prices, with a user's file (same form) put over them.

    Raises:
        BadSpecification: the file cannot be read or is not a price table.
    """
    return _shipped() if path is None else {**_shipped(), **_read(path)}


def find_price(name: str, *, connection: Connection, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model at an endpoint; None where nobody knows."""
    endpoint = connection.endpoint
    names = [name]
    if endpoint.priced_as is not None:
        names.append(f"{endpoint.priced_as}/{name.partition('/')[2]}")
    for asked in names:
        found = prices.get(asked) or prices.get(_DATED.sub("", asked))
        if found is not None:
            return found
    if endpoint.input_usd_per_million is not None and endpoint.output_usd_per_million is not None:
        return Price(
            model=name,
            input=endpoint.input_usd_per_million,
            output=endpoint.output_usd_per_million,
            cached_input=endpoint.cached_input_usd_per_million,
        )
    if endpoint.is_free_on_loopback and connection.is_loopback:
        return Price(model=name, input=0.0, output=0.0)
    return None


@cache
def _shipped() -> Mapping[str, Price]:
    return _read(_TABLE)


def _read(path: Path) -> Mapping[str, Price]:
    try:
        table = msgspec.toml.decode(path.read_bytes(), type=_Table)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        fault = f"not a price table ({error}); each [[price]] needs model, input, output"
        raise BadSpecification(str(path), fault) from error
    return {price.model: price for price in table.price}
