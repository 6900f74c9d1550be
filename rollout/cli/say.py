"""Printing what others have said: an agent's page, a webhook or an object may hold bytes that steer a terminal."""

from __future__ import annotations

import sys

import typer

from rollout.cli.plain import fitting, plain


def say(text: str = "", *, err: bool = False) -> None:
    """Print a line for people, on stdout or stderr."""
    typer.echo(fitting(plain(text), sys.stderr if err else sys.stdout), err=err)
