"""`rollout crd`: the custom resource definitions, made from the model."""

from __future__ import annotations

import json

import typer

from rollout.cli.options import Output, OutputAs
from rollout.cli.say import say


def register(app: typer.Typer) -> None:
    @app.command()
    def crd(output: OutputAs = Output.TEXT) -> None:
        """Print the definitions of Rollout and RolloutPolicy, for `kubectl apply --server-side -f -`."""
        import yaml

        from rollout.model.crd.definitions import definitions

        manifests = definitions()
        if output is Output.JSON:
            say(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}, indent=2))
            return
        say("# Made by `rollout crd`. Change the model, not this file.")
        for definition in manifests:
            text = yaml.safe_dump(definition, sort_keys=False, width=120, allow_unicode=True)
            typer.echo(f"---\n{text}", nl=False)
