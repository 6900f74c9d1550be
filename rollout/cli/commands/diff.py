"""`rollout diff V1 V2`: what two versions are made of, side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from rollout.cli.completion import versions
from rollout.cli.location import Place
from rollout.cli.options import Context, Files, Kubeconfig, Namespace, Output, OutputAs, RolloutName, StateDir
from rollout.cli.say import say


def register(app: typer.Typer) -> None:
    @app.command()
    def diff(
        one: Annotated[str, typer.Argument(metavar="V1", autocompletion=versions, help="One version.")],
        other: Annotated[str, typer.Argument(metavar="V2", autocompletion=versions, help="The other version.")],
        rollout: RolloutName = None,
        every: Annotated[bool, typer.Option("--all", help="Show also what is the same.")] = False,
        files: Files = None,
        state: StateDir = None,
        namespace: Namespace = None,
        context: Context = None,
        kubeconfig: Kubeconfig = None,
        output: OutputAs = Output.TEXT,
    ) -> None:
        """Compare what the Deployments of two versions are made of: images, environment, ConfigMaps, Secrets.

        Of ConfigMaps and Secrets, and of values that look like secrets, only digests are shown.
        """
        import shutil

        from rollout.adapters.storage.kubernetes import KubernetesStore
        from rollout.cli.options import pick
        from rollout.cli.render.comparison import table
        from rollout.cli.render.documents import document, print_document
        from rollout.controller.version_components import components_of
        from rollout.errors import Fault, InvalidInput

        place = Place(files, state, namespace, context=context, kubeconfig=kubeconfig)
        if place.is_local:
            remedy = "name a cluster: -n NAMESPACE, --context or --kubeconfig"
            raise InvalidInput([Fault("diff", "what is behind an address is not known", remedy)])
        api, where = place.api()
        declared = pick(KubernetesStore(api, where), rollout).rollout
        first, second = components_of(api, declared, one), components_of(api, declared, other)
        pairs = {name: (first.get(name, ""), second.get(name, "")) for name in dict.fromkeys((*first, *second))}
        shown = {name: pair for name, pair in pairs.items() if every or pair[0] != pair[1]}
        differs = any(left != right for left, right in pairs.values())
        if output is Output.JSON:
            components = {name: {one: left or None, other: right or None} for name, (left, right) in shown.items()}
            print_document(document("VersionDiff", differs=differs, components=components))
            return
        if shown:
            say(table((one, other), shown, shutil.get_terminal_size((100, 24)).columns))
        if not differs:
            say(f"{one} and {other} are made of the same")
