"""Studies: from a request to episodes, their folder, and what they come to.

`plan` resolves a request to specifications, `study` is the folder that they live in, `laboratory` joins task, team, judge,
models and workspaces, `running` runs what is missing, and `summary` sums up. Nothing here prints; whoever asks is told
through a `reporter`.
"""
