"""What forks are worth: the spread of paired differences between forks of one beginning, and between whole episodes."""
