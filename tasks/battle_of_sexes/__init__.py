"""Battle of the Sexes, ten rounds against a player whose law is not told."""
