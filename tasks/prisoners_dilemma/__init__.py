"""The iterated Prisoner's Dilemma, ten rounds against a player whose law is not told."""
