"""Why something is not ready: the first cause, with evidence and the command that repairs it."""
