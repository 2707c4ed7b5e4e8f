"""3-SAT: choose the branching variable of a DPLL solver well.

The trusted core: formulas (`instances`), their labels (`truth`), the solver (`solver`), the dialogue with
the isolated process that runs an agent's heuristic (`dialogue` on our side, `driver` inside), and reference
heuristics as source text (`heuristics`). The heuristic only ever answers questions; search, counting and
labels stay on this side.
"""
