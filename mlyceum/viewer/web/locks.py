"""Whether a run works in a study's folder, found without taking its lock (a run that begins must not be refused)."""

import os
from pathlib import Path

LOCKS = Path("/proc/locks")


def is_held(study: Path) -> bool | None:
    """Whether a process holds the folder; None where the system does not say."""
    try:
        status = (study / ".lock").lstat()
        locks = LOCKS.read_text(encoding="ascii")
    except FileNotFoundError:
        return None if not LOCKS.exists() else False
    except (OSError, ValueError):
        return None
    # "1: FLOCK  ADVISORY  WRITE 123 08:01:4567 0 EOF"; file systems in layers report another device than `stat`.
    held = [line.split() for line in locks.splitlines() if " FLOCK " in line and "->" not in line]
    places = [fields[5].split(":") for fields in held if len(fields) > 5]
    device = (os.major(status.st_dev), os.minor(status.st_dev))
    same_inode = [place for place in places if place[2] == str(status.st_ino)]
    exact = [place for place in same_inode if (int(place[0], 16), int(place[1], 16)) == device]
    return bool(exact or same_inode)
