"""A user's MLGym checkout as tasks: its own folders, starter code and evaluators, unmodified, in our sandbox.

Nothing of MLGym is shipped. ``mlgym-NAME`` is the task that ``configs/tasks/NAME.yaml`` of the checkout describes;
where the checkout lies is said by ``--mlgym-root`` or ``MLYCEUM_MLGYM``. Start at `checkout` (what is found there),
then `package` (a task of it) and `scorer` (how its evaluator is run, and what of an artefact is put back before).
Nothing is imported here: the registry looks at `names` at every start.
"""
