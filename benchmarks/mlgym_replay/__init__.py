"""Published runs of MLGym played again in our workspaces, and whether each step means what was recorded.

`meaning` reads an observation, `comparing` says of two whether they mean the same and of what kind a difference is,
`running` plays files against a checkout, `tables` sums up. The command is ``mlyceum replay-mlgym``.
"""
