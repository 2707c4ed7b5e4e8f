"""Values without sampling noise, or with a declared small one.

`histories`  expectation and optimum over all joint histories of a short match between lawful players
`enumeration`  a player of unknown law (a sandboxed one) against every sequence of a lawful opponent
`player_value`  the final value of such a player: exact if it is deterministic, else sampled to a target
`memory_one`  long matches between memory-one players, by Markov chains
`blotto`  allocations against one large common sample of an opponent
"""

from arenas.exact.blotto import BlottoValue, OpponentSample, allocations_value, opponent_sample
from arenas.exact.enumeration import enumerate_opponent
from arenas.exact.histories import OptimalPlay, TablePlayer, expected_value, optimal_play
from arenas.exact.memory_one import MemoryOneOutcome, memory_one_outcomes
from arenas.exact.player_value import player_value

__all__ = [
    "BlottoValue",
    "MemoryOneOutcome",
    "OpponentSample",
    "OptimalPlay",
    "TablePlayer",
    "allocations_value",
    "enumerate_opponent",
    "expected_value",
    "memory_one_outcomes",
    "opponent_sample",
    "optimal_play",
    "player_value",
]
