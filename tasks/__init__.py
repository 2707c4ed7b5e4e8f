"""What is researched: tasks, each a folder of facts, words, starter files, moves and a scorer.

Start at `registry` (which tasks there are) and `package` (what a task's folder holds); `scoring` is the judge, which
alone touches an artefact, and only through a one-shot sandbox. Match code belongs to `arenas`, roles and budgets are
none of this room's business.
"""
