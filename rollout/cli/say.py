"""Printing what others have said: an agent's page, a webhook or an object may hold bytes that steer a terminal."""

from __future__ import annotations

import typer

from rollout.cli.plain import plain


def say(text: str = "", *, err: bool = False) -> None:
    """Print a line for people, on stdout or stderr."""
    typer.echo(plain(text), err=err)
