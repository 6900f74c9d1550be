"""From raw counters to a verdict."""
