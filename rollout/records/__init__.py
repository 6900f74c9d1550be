"""Where rollouts and their decisions live."""
