"""Live samples: what conversations look like in the agents' own store, read-only. Values never leave the process."""
