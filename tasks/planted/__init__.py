"""A task whose landscape was planted: what each role is worth on it is known, so that studies can be calibrated."""
