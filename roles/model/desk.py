"""Where a member that a model drives hears its team's notes and answers what others ask it."""

import msgspec

from engine.errors import EngineDefect
from engine.messages import NOTES, Answer, AnyBody, Envelope, Note, Question, Queue, Topic
from roles.model.talk import Reaction, Talk, Use, shorten
from roles.model.tools.notes import recall_use

TURNS = 4
ANSWER_CHARACTERS = 4_000


class GiveAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer."""

    text: str


class Desk:
    """Answers questions in its member's one conversation, with its memory and no other tool: it asks nobody itself."""

    topics: tuple[Topic, ...] = (NOTES,)

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.queue = Queue(str(talk.member.id))

    def observe(self, body: AnyBody) -> None:
        """Keep a note of the team."""
        if isinstance(body, Note):
            self._talk.memory.hear(body.text)

    async def answer(self, request: Envelope) -> AnyBody:
        """The model's answer to a question."""
        asked = request.body
        if not isinstance(asked, Question):
            raise EngineDefect(f"a {type(asked).__name__} came to {self.queue} and not to a queue of its")
        given: list[str] = []

        async def answer(said: GiveAnswer) -> Reaction:
            if not said.text.strip():
                return Reaction("An answer needs words.", is_wrong=True)
            given.append(said.text.strip())
            return Reaction("Told.", is_last=True)

        words = f"# Question of {request.sender}\n\n{shorten(asked.text, ANSWER_CHARACTERS)}\n\nAnswer it by `answer`."
        uses = [recall_use(self._talk.memory), Use("answer", "Answer the question.", GiveAnswer, answer)]
        why = await self._talk.work(words, uses, turns=TURNS)
        return Answer(text=shorten(given[-1], ANSWER_CHARACTERS) if given else f"(no answer: {why})"[:500])
