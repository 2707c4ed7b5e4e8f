"""Policies that a language model drives: the same functions, answered by tool calls in one conversation a member."""
