"""Counters of both versions: from Prometheus, or from the agents' own pages."""
