"""`rollout lint`: are these documents right?"""

from __future__ import annotations

from pathlib import Path

import typer

from rollout.cli.options import Output, OutputAs
from rollout.errors import Fault, InvalidInput


def register(app: typer.Typer) -> None:
    @app.command()
    def lint(
        files: list[Path] = typer.Argument(None, help="Files or directories [default: rollout.yaml and policies/]."),
        output: OutputAs = Output.TEXT,
    ) -> None:
        """Check documents: every fault at once, with its place and its remedy (exit 2)."""
        import json

        from rollout.cli.documents import check
        from rollout.cli.options import files_of
        from rollout.model.documents import read_files

        documents = read_files(files_of(files))
        faults = check(documents)
        if output is Output.JSON:
            told = [{"path": f.path, "message": f.message, "remedy": f.remedy, "value": f.value} for f in faults]
            typer.echo(json.dumps({"faults": told}, indent=2, default=str))
            raise typer.Exit(2 if faults else 0)
        if faults:
            raise InvalidInput(faults)
        count = len(documents.rollouts) + len(documents.policies)
        if not count:
            where = ", ".join(map(str, files_of(files)))
            raise InvalidInput([Fault(where, "holds no document", "name files with a Rollout or a RolloutPolicy")])
        typer.echo(f"{count} {'document is' if count == 1 else 'documents are'} right")
