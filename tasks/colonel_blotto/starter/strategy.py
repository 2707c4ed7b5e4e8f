"""The row player of Colonel Blotto: `row_strategy` places at most 120 soldiers on 6 fields, once a round."""

import random

SOLDIERS = 120
FIELDS = 6


def scaled(weights):
    """The weights as soldiers: each field's share rounded down, what is left over on a random field."""
    total = sum(weights) or 1
    soldiers = [weight * SOLDIERS // total for weight in weights]
    soldiers[random.randrange(FIELDS)] += SOLDIERS - sum(soldiers)
    return soldiers


def row_strategy(history):
    """history: the (own, other's) allocations of every round so far, oldest first."""
    fields = [0] * FIELDS
    for _ in range(random.randint(1, 6)):
        fields[random.randrange(FIELDS)] += random.randint(10, 30)
    left = SOLDIERS - sum(fields)
    for field in range(FIELDS):
        if left > 0 and fields[field] == 0:
            fields[field] = random.randint(0, left)
            left -= fields[field]
    return scaled(fields)
