"""Programs that run inside the agent's workspace. They are sent there as text and import the standard library alone."""
