"""Majority Blotto: 120 soldiers on six fields, against a player whose law is not told."""
