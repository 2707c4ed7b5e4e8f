"""Where a placebo's messages come from: ``placebo TOPIC from DIR/EPISODE`` read once, kept by hash, handed to a study.

A specification names a donor by its hash alone. What the hash stands for lies in this machine's cache from the moment
a patch names an episode, and in the study's artefacts from its first run on, so that the study can be carried away.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from engine.donors import keep_donor
from engine.episode import EpisodeSpec
from engine.errors import BadSpecification, UnknownName
from engine.messages import TOPICS, ArtefactHash, Topic
from engine.store import ArtefactStore
from engine.workspace.environment import cache_folder

_FROM_EPISODE = re.compile(r"\s*placebo\s+(\S+)\s+from\s+(\S.*?)\s*")


def settled(text: str) -> str:
    """A patch as text, with the episode that a placebo names replaced by the hash of what it said.

    Raises:
        UnknownName: there is no such topic.
        BadSpecification: there is no such episode, or it said nothing on the topic.
        RecordDamaged: its record cannot be read.
    """
    found = _FROM_EPISODE.fullmatch(text)
    if found is None:
        return text
    topic, episode = found.groups()
    if topic not in TOPICS:
        raise UnknownName("topic", topic, TOPICS)
    named = Path(episode)
    inside = named.parent / "episodes" / named.name  # DIR/EPISODE, as other commands take it
    folder = inside if (inside / "journal.jsonl").is_file() else named
    return f"placebo {topic} {keep_donor(_cache(), folder, Topic(topic))}"


def provide_donors(specs: Iterable[EpisodeSpec], store: ArtefactStore) -> None:
    """Let a study's store have the donors that its teams name.

    Raises:
        BadSpecification: nobody here has one of them.
    """
    teams = [team for spec in specs for team in (spec.team, *([spec.fork.team] if spec.fork else []))]
    for donor in sorted({each.donor for team in teams for each in team.interpositions if each.donor}):
        if donor in store:
            continue
        if donor not in _cache():
            raise BadSpecification(
                f"placebo {donor[:12]}…",
                "this machine does not have its messages; name the episode they come from: "
                "'placebo TOPIC from DIR/EPISODE'",
            )
        store.put(_cache().get(ArtefactHash(donor)))


def _cache() -> ArtefactStore:
    return ArtefactStore(cache_folder() / "donors")
