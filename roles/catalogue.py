"""Which roles there are, and what a function of theirs becomes under each policy."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from engine.member import Member
from engine.messages import CODE, EXPERIMENT, FUNCTIONS, HYPOTHESIZE, REVIEW, Queue, Topic
from roles.functions import Function
from roles.model.coder import ModelCoder
from roles.model.experimenter import ModelExperimenter
from roles.model.hypothesizer import ModelHypothesizer
from roles.model.reviewer import ModelReviewer
from roles.model.talk import Talk
from roles.offline.coder import Coder
from roles.offline.experimenter import Experimenter
from roles.offline.hypothesizer import Hypothesizer
from roles.offline.reviewer import Reviewer
from roles.offline.vacuous import VACUOUS, Nod, OneRun, RandomIdeas, Typist

SOLO = "solo"


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of participant, and what taking it away means."""

    name: str
    functions: tuple[Queue, ...]
    purpose: str
    vacuous: str | None
    """What is left of its function when it is gone; None where no such form exists."""


ROLES: dict[str, Role] = {
    role.name: role
    for role in (
        Role(
            name="hypothesizer",
            functions=(HYPOTHESIZE,),
            purpose="proposes what to try, with the effect it expects",
            vacuous=VACUOUS[HYPOTHESIZE],
        ),
        Role(
            name="coder", functions=(CODE,), purpose="writes the code of a hypothesis", vacuous=VACUOUS[CODE]
        ),
        Role(
            name="experimenter",
            functions=(EXPERIMENT,),
            purpose="buys evidence; never removed altogether",
            vacuous=VACUOUS[EXPERIMENT],
        ),
        Role(
            name="reviewer",
            functions=(REVIEW,),
            purpose="says whether a result deserves to stand",
            vacuous=VACUOUS[REVIEW],
        ),
        Role(name=SOLO, functions=FUNCTIONS, purpose="does everything itself, in one head", vacuous=None),
    )
}


class Ruled(NamedTuple):
    """A function that needs no model, and the topics it watches."""

    make: Callable[[Member], Function]
    topics: tuple[Topic, ...]


class Modelled(NamedTuple):
    """A function that a model drives through its member's one conversation, and the topics it watches."""

    make: Callable[[Member, Talk], Function]
    topics: tuple[Topic, ...]


RULED: dict[tuple[Queue, str], Ruled] = {
    (HYPOTHESIZE, "offline"): Ruled(Hypothesizer, Hypothesizer.topics),
    (HYPOTHESIZE, "vacuous"): Ruled(RandomIdeas, RandomIdeas.topics),
    (CODE, "offline"): Ruled(Coder, Coder.topics),
    (CODE, "vacuous"): Ruled(Typist, Typist.topics),
    (EXPERIMENT, "offline"): Ruled(Experimenter, Experimenter.topics),
    (EXPERIMENT, "vacuous"): Ruled(OneRun, OneRun.topics),
    (REVIEW, "offline"): Ruled(Reviewer, Reviewer.topics),
    (REVIEW, "vacuous"): Ruled(Nod, Nod.topics),
}
MODELLED: dict[Queue, Modelled] = {
    HYPOTHESIZE: Modelled(ModelHypothesizer, ModelHypothesizer.topics),
    CODE: Modelled(ModelCoder, ModelCoder.topics),
    EXPERIMENT: Modelled(ModelExperimenter, ModelExperimenter.topics),
    REVIEW: Modelled(ModelReviewer, ModelReviewer.topics),
}

ROLE_OF: dict[Queue, str] = {
    HYPOTHESIZE: "hypothesizer",
    CODE: "coder",
    EXPERIMENT: "experimenter",
    REVIEW: "reviewer",
}
"""The role that a function belongs to where nothing was merged."""
