"""Players: the interfaces a match asks for, our scripted opponents, and submitted code in its own process.

Start reading in `interface`. `remote` is the judge's half of an isolated player, `driver` the half that runs
inside the sandbox; `frames` is what they say to each other, `channel` how it is framed on a pair of streams.
"""
