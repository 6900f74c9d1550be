"""Conditions that must hold before a rollout advances."""
