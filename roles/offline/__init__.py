"""Policies without a model: each role by rules, from nothing but what a team may read and the feedback it bought."""
