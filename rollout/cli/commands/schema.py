"""`rollout schema`: the JSON Schema of what people write, for editors; and of what `-o json` prints, for programs."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from rollout.cli.say import say


class Of(StrEnum):
    FILES = "files"
    OUTPUT = "output"


def register(app: typer.Typer) -> None:
    @app.command()
    def schema(
        of: Annotated[Of, typer.Argument(help="files: Rollout and RolloutPolicy. output: what -o json prints.")] = (
            Of.FILES
        ),
    ) -> None:
        """Print the JSON Schema of Rollout and RolloutPolicy files, for editors; or of what -o json prints.

        In a file: # yaml-language-server: $schema=rollout.schema.json
        """
        from rollout.model.crd.editor import editor_schema
        from rollout.model.crd.output import output_schema

        say(json.dumps(editor_schema() if of is Of.FILES else output_schema(), indent=2))
