"""`rollout schema`: the JSON Schema of Rollouts and policies, for editors."""

from __future__ import annotations

import json

import typer

from rollout.cli.say import say


def register(app: typer.Typer) -> None:
    @app.command()
    def schema() -> None:
        """Print the JSON Schema of Rollout and RolloutPolicy files, for editors.

        In a file: # yaml-language-server: $schema=rollout.schema.json
        """
        from rollout.model.crd.editor import editor_schema

        say(json.dumps(editor_schema(), indent=2))
