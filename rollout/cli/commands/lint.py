"""`rollout lint`: are these documents right?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rollout.cli.options import Output, OutputAs
from rollout.cli.say import say
from rollout.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from rollout.model.documents import Documents


def register(app: typer.Typer) -> None:
    @app.command()
    def lint(
        files: list[Path] = typer.Argument(
            None, metavar="[FILE]...", help="Files or directories [default: rollout.yaml and policies/]."
        ),
        output: OutputAs = Output.TEXT,
    ) -> None:
        """Check Rollout and RolloutPolicy files. Print every fault with its place and its remedy (exit 2)."""
        from rollout.cli.documents import check
        from rollout.cli.files import files_of
        from rollout.cli.render.documents import document, print_document
        from rollout.cli.render.documents import faults as faults_of
        from rollout.model.documents import read_files

        documents = read_files(files_of(files))
        faults = check(documents)
        if output is Output.JSON:
            print_document(document("LintResult", faults=faults_of(InvalidInput(faults))))
            raise typer.Exit(2 if faults else 0)
        if faults:
            raise InvalidInput(faults)
        if not documents.rollouts and not documents.policies:
            where = ", ".join(map(str, files_of(files)))
            raise InvalidInput([Fault(where, "holds no document", "name files with a Rollout or a RolloutPolicy")])
        for line in _summary(documents):
            say(line)


def _summary(documents: Documents) -> list[str]:
    """Return a line for each file: ``rollout.yaml: OK (1 Rollout, 1 RolloutPolicy)``."""
    kinds: dict[str, Counter[str]] = {}
    for kind, read in (("Rollout", documents.rollouts), ("RolloutPolicy", documents.policies)):
        for document in read:
            kinds.setdefault(document.where.partition("#")[0], Counter())[kind] += 1
    return [f"{where}: OK ({', '.join(_counted(kind, n) for kind, n in of.items())})" for where, of in kinds.items()]


def _counted(kind: str, number: int) -> str:
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
    return f"{number} {kind if number == 1 else plural}"
