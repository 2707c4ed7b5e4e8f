"""The agent of MLGym (Nathani et al. 2025, arXiv 2502.14499) as a team of one, made anew from its description.

One thought and one command an answer; a line editor with a window; syntax checks before an edit stands. Names of
commands and the form of their arguments are MLGym's, so that an answer means the same; every sentence is ours.
Start with `agent`; `parsing` reads an answer, `shell` does what it says.
"""

MLGYM = "mlgym"
"""What a team calls it: `kind` of its strategy."""
