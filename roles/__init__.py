"""Who researches: roles with their policies, search strategies, teams as data, and ablations of them.

Start at `assemble` (from a team to members that take their seats), `team` (named teams and team files), `ablation`
(patches). A role's policies are in `offline` (by rules) and `model` (a language model with the prompts in `prompts/`).
"""

from roles.ablation import Patch, apply, describe, parse_patch, parse_without
from roles.assemble import assemble
from roles.catalogue import ROLES, Role
from roles.model.prompts import prompt_digests
from roles.strategies import STRATEGIES, make_rule
from roles.team import load_team, named_team, open_team, parse_team, team_names

__all__ = [
    "ROLES",
    "STRATEGIES",
    "Patch",
    "Role",
    "apply",
    "assemble",
    "describe",
    "load_team",
    "make_rule",
    "named_team",
    "open_team",
    "parse_patch",
    "parse_team",
    "parse_without",
    "prompt_digests",
    "team_names",
]
