"""The row player of a game of ten rounds: `row_strategy` is called once a round and returns 0 or 1."""

import random

ROUNDS = 10


def row_strategy(history):
    """history: the (own, other's) moves of every round so far, oldest first."""
    if not history:
        return 0
    chance_of_1 = {(0, 0): 0.1, (0, 1): 0.8, (1, 0): 0.2, (1, 1): 0.9}
    own, other = history[-1]
    return int(random.random() < chance_of_1[own, other])
