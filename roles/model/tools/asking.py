"""The tool with which a model asks another role: a question on the bus, answered by that member's model.

Who may ask whom is a strict order over members (by the last function that each has: ideas, code, experiments,
reviews): one asks those whose work it builds on. A circle of members that wait for each other cannot arise, and no
question leads to more than three others.
"""

import msgspec

from engine.member import Member
from engine.messages import FUNCTIONS, Answer, Dropped, Expired, MemberId, Question
from engine.team import MemberSpec, TeamSpec
from roles.model.tools.tool import AnyUse, Reaction, Use, shorten

QUESTION_CHARACTERS = 2_000
ANSWER_CHARACTERS = 4_000
QUESTIONS = 2
"""That one request may lead to."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Ask another role."""

    role: str
    question: str


def askable(team: TeamSpec, role: str) -> tuple[str, ...]:
    """The roles that a role may ask: driven by a model, and before it in the order."""
    own = next((each for each in team.members if each.role == role), None)
    if own is None:
        return ()
    return tuple(each.role for each in team.members if _is_modelled(each) and _rank(each) < _rank(own))


def ask_use(member: Member, roles: tuple[str, ...]) -> AnyUse:
    """The tool ``ask``, for one request.

    Args:
        member: who asks.
        roles: whom it may ask; see `askable`.
    """
    asked_so_far = 0

    async def ask(asked: Ask) -> Reaction:
        nonlocal asked_so_far
        if asked.role not in roles:
            return Reaction(f"You can ask {', '.join(roles)}; not {asked.role[:40]!r}.", is_wrong=True)
        if not asked.question.strip():
            return Reaction("There is no question.", is_wrong=True)
        if asked_so_far >= QUESTIONS:
            return Reaction(
                f"No more than {QUESTIONS} questions a request: go on with what you know.", is_wrong=True
            )
        asked_so_far += 1
        question = Question(text=shorten(asked.question.strip(), QUESTION_CHARACTERS))
        answer = await member.request(question, to=MemberId(asked.role))
        match answer.body:
            case Answer(text=text):
                return Reaction(f"The {asked.role} answers: {shorten(text, ANSWER_CHARACTERS)}")
            case Dropped() | Expired():
                return Reaction(f"The {asked.role} cannot answer.")
            case _:
                return Reaction(f"The {asked.role} gave no answer.")

    description = (
        f"Ask another member of the team ({', '.join(roles)}) about its work; you wait for the answer."
    )
    return Use("ask", description, Ask, ask)


def _is_modelled(member: MemberSpec) -> bool:
    return any(member.policies.get(function, member.policy) == "model" for function in member.functions)


def _rank(member: MemberSpec) -> int:
    return max((FUNCTIONS.index(function) for function in member.functions), default=-1)
