"""One machine: a supervisor of many rollouts, or one in the foreground."""
