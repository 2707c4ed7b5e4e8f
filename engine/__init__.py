"""The engine: what runs an episode, and what every other room stands on.

Here belong the bus, the journal, budgets, seeds, the clock, artefacts, workspaces, models, the scheduler, and the
interfaces that roles, tasks and judges meet through. The engine imports no other room and knows no task, no role and
no game by name.

Start reading at `engine.episode` (one episode from specification to record), then `engine.bus` (who speaks when),
`engine.journal` (what is kept and how a rerun is answered) and `engine.member` (what a member's code sees).
"""

from engine.budget import Budget, Scope
from engine.episode import EpisodeResult, EpisodeSpec, run_episode
from engine.errors import EngineError, UserError
from engine.member import Member, Seat
from engine.scheduler import Limits, make_limits, run_episodes
from engine.seeds import Seeds
from engine.store import ArtefactStore
from engine.task import Judge, Score, Task, TaskCard
from engine.team import MemberSpec, StrategySpec, TeamSpec

__all__ = [
    "ArtefactStore",
    "Budget",
    "EngineError",
    "EpisodeResult",
    "EpisodeSpec",
    "Judge",
    "Limits",
    "Member",
    "MemberSpec",
    "Scope",
    "Score",
    "Seat",
    "Seeds",
    "StrategySpec",
    "Task",
    "TaskCard",
    "TeamSpec",
    "UserError",
    "make_limits",
    "run_episode",
    "run_episodes",
]
