"""Routers: one file per kind."""
