"""Pieces of source text that `heuristics.render` puts together."""

HEAD = '''\
def heuristic(unresolved_clauses, assignments, conflict_count, assignment_history, level):
    """Return the variable to branch on and the value to try first."""
'''

TITLES = {
    "random": "a random variable",
    "first": "the first free variable of the first unresolved clause",
    "conflicts": "the variable with the most conflicts",
    "dlis": "the variable of the most frequent literal (DLIS)",
    "dlcs": "the most frequent variable (DLCS)",
    "jeroslow-wang": "the variable of the heaviest literal (Jeroslow-Wang)",
    "jeroslow-wang-two-sided": "the heaviest variable (two-sided Jeroslow-Wang)",
    "balanced": "the heaviest variable, both of its literals counting (Boehm)",
    "moms": "the most frequent variable of the shortest clauses (MOMS)",
    "lookahead": "the variable whose two values imply the most",
}
SCORES = {
    "conflicts": "conflict_count[candidate]",
    "dlis": "max(positive, negative)",
    "dlcs": "positive + negative",
    "jeroslow-wang": "max(positive, negative)",
    "jeroslow-wang-two-sided": "positive + negative",
    "moms": "(positive + negative) * {moms_factor} + positive * negative",
    "balanced": "max(positive, negative) + {balance} * min(positive, negative)",
}

PICK_RANDOM = """\
    random.seed(10)
    unassigned = set()
    for clause in unresolved_clauses:
        for literal in clause:
            if abs(literal) not in assignments:
                unassigned.add(abs(literal))
    if not unassigned:
        return None, True
    variable = random.choice(list(unassigned))
"""
PICK_FIRST = """\
    variable = None
    for literal in unresolved_clauses[0]:
        if abs(literal) not in assignments:
            variable = abs(literal)
            break
    if variable is None:
        return None, True
"""
COUNT_OCCURRENCES = """\
    # Indexed by literal: the entry of a negated variable is counted from the end.
    scores = [0] * (2 * len(conflict_count) + 1)
    for clause in unresolved_clauses:
        for literal in clause:
            scores[literal] += 1
"""
SUM_WEIGHTS = """\
    # Indexed by literal: the entry of a negated variable is counted from the end.
    scores = [0.0] * (2 * len(conflict_count) + 1)
    # After unit propagation an unresolved clause has two or three free literals; the others are false.
    false = {-variable if value else variable for variable, value in assignments.items()}
    for clause in unresolved_clauses:
        weight = 1.0 if false.isdisjoint(clause) else SHORT_CLAUSE_WEIGHT
        for literal in clause:
            scores[literal] += weight
"""
COUNT_IN_SHORTEST = """\
    # Indexed by literal: the entry of a negated variable is counted from the end.
    scores = [0] * (2 * len(conflict_count) + 1)
    # After unit propagation an unresolved clause has two or three free literals; the others are false.
    false = {-variable if value else variable for variable, value in assignments.items()}
    short = [clause for clause in unresolved_clauses if not false.isdisjoint(clause)]
    for clause in short or unresolved_clauses:
        for literal in clause:
            scores[literal] += 1
"""
PICK_BEST = """\
    variable, best = None, -1
    for candidate in {candidates}:
        if candidate in assignments:
            continue
        positive, negative = scores[candidate], scores[-candidate]
        if not positive and not negative:
            continue
        score = {score}
        if score > best:
            variable, best = candidate, score
    if variable is None:
        return None, True
"""
PICK_BEST_RECENT = """\
    last_seen = {{variable: position for position, variable in enumerate(assignment_history)}}
    variable, best = None, (-1, -1)
    for candidate in range(1, len(conflict_count) + 1):
        if candidate in assignments:
            continue
        positive, negative = scores[candidate], scores[-candidate]
        if not positive and not negative:
            continue
        score = {score}
        if (score, last_seen.get(candidate, -1)) > best:
            variable, best = candidate, (score, last_seen.get(candidate, -1))
    if variable is None:
        return None, True
"""
PICK_LOOKAHEAD = """\
    variable, best = None, -1
    for candidate in range(1, len(conflict_count) + 1):
        if candidate in assignments:
            continue
        implied_true = count_implied(candidate, unresolved_clauses, assignments)
        implied_false = count_implied(-candidate, unresolved_clauses, assignments)
        score = 1024 * implied_true * implied_false + implied_true + implied_false
        if score > best:
            variable, best = candidate, score
    if variable is None:
        return None, True
"""
COUNT_IMPLIED = '''\
def count_implied(literal, unresolved_clauses, assignments):
    """How many literals follow from this one by unit propagation; 1000 where they contradict each other."""
    values = dict(assignments)
    values[abs(literal)] = literal > 0
    implied = 1
    changed = True
    while changed:
        changed = False
        for clause in unresolved_clauses:
            if any(values.get(abs(other)) == (other > 0) for other in clause):
                continue
            free = [other for other in clause if abs(other) not in values]
            if not free:
                return 1000
            if len(free) == 1:
                values[abs(free[0])] = free[0] > 0
                implied += 1
                changed = True
    return implied
'''
COUNT_BOTH = """\
    positive = negative = 0
    for clause in unresolved_clauses:
        if variable in clause:
            positive += 1
        elif -variable in clause:
            negative += 1
"""
WEIGH_BOTH = """\
    # After unit propagation an unresolved clause has two or three free literals; the shorter ones weigh twice.
    false = {-known if value else known for known, value in assignments.items()}
    positive = negative = 0
    for clause in unresolved_clauses:
        if variable in clause:
            positive += 1 if false.isdisjoint(clause) else 2
        elif -variable in clause:
            negative += 1 if false.isdisjoint(clause) else 2
"""
REUSE_SCORES = """\
    positive, negative = scores[variable], scores[-variable]
"""
VALUES = {
    "true": "    return variable, True\n",
    "majority": "    return variable, positive >= negative\n",
    "minority": "    return variable, positive < negative\n",
    "heavier": "    return variable, positive >= negative\n",
    "lighter": "    return variable, positive < negative\n",
}
VALUE_TITLES = {
    "true": "true",
    "majority": "the value that makes more clauses true",
    "minority": "the value that makes fewer clauses true",
    "heavier": "the value that makes the heavier clauses true",
    "lighter": "the value that makes the lighter clauses true",
}
HELPERS = {"count_implied(": COUNT_IMPLIED}
"""What each call needs before the function."""
