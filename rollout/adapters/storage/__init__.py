"""Rollouts and decisions at rest: SQLite on one machine, the resource's status in a cluster."""
