"""Checks by others: webhooks, commands, release windows."""
