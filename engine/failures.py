"""What an error says of itself, fit for a record that two runs are compared by."""

import re
from typing import cast

_PLACE_IN_MEMORY = re.compile(r" at 0x[0-9a-fA-F]+")
MAX_CHARACTERS = 2_000


def reason_of(error: Exception) -> str:
    """Why a member failed. Places in memory differ from run to run, and lone surrogates cannot be written."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an error whose text cannot be made has still to be reported
        text = f"{type(error).__name__}: its message cannot be shown"
    return _PLACE_IN_MEMORY.sub(" at 0x…", text)[:MAX_CHARACTERS].encode(errors="replace").decode()


def alone(error: Exception) -> Exception:
    """The error itself, where a group holds no other."""
    inner: object = getattr(error, "exceptions", ())  # of a group
    members = cast("tuple[Exception, ...]", inner)
    return alone(members[0]) if len(members) == 1 else error
