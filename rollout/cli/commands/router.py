"""`rollout router`: the built-in Envoy outlives the controller on purpose; this is how to see and stop it."""

from __future__ import annotations

import typer

from rollout.cli.help import VerbApp
from rollout.cli.options import Files, OptionalName, StateDir
from rollout.cli.say import say


def register(app: typer.Typer) -> None:
    group = VerbApp(help="See, stop or prepare the Envoy of a rollout.", no_args_is_help=True)
    app.add_typer(group, name="router")

    group.command()(status)
    group.command()(stop)
    group.command()(setup)


def status(name: OptionalName = None, files: Files = None, state: StateDir = None) -> None:
    """Say whether Envoy runs, where it listens and which weights are effective."""
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.files import state_of
    from rollout.cli.options import pick
    from rollout.local.wiring import LocalWiring
    from rollout.model.api.wiring import local_spec

    store = SqliteStore(state_of(state, files))
    rollout = pick(store, name).rollout
    with LocalWiring(rollout, store.directory) as wired:
        envoy = local_spec(rollout.spec).envoy
        facts, listen = wired.router.observe(), envoy.listen or f"its own listeners (admin {envoy.admin})"
    if not facts.reachable:
        say(f"not running ({facts.problem}); rollout start brings it up on {listen}")
        raise typer.Exit(5)
    share = (facts.weight_bp or 0) / 100
    split = f", {facts.candidate} {share:g} %" if facts.candidate else ""
    say(f"listens on {listen}: {facts.stable} {100 - share:g} %{split}")


def setup(name: OptionalName = None, files: Files = None) -> None:
    """Prepare your own Envoy: write the files that it watches, print what its configuration needs."""
    import yaml

    from rollout.adapters.routers.envoy_config import own_envoy
    from rollout.cli.documents import read_target
    from rollout.cli.files import files_of
    from rollout.engine.effects import SetWeight
    from rollout.errors import Fault, InvalidInput
    from rollout.local.wiring import LocalWiring
    from rollout.model.api.wiring import local_spec
    from rollout.model.rollout import Rollout

    target = read_target(files_of(files), name)
    spec = target.spec
    directory = local_spec(spec).envoy.directory
    if directory is None:
        remedy = "name your Envoy's admin page and a directory it watches: envoy: {admin: …, directory: …}"
        raise InvalidInput([Fault("spec.routes[0].envoy", "is started by this tool, which configures it", remedy)])
    first = spec.version or spec.backends.served[0]
    with LocalWiring(Rollout(target.metadata, spec), files_of(files)[0].parent) as wired:
        wired.router.prepare(SetWeight(first))
    say(f"wrote the files in {directory}: everything goes to {first}", err=True)
    needed = own_envoy(target.metadata.name, directory)
    say("# into your bootstrap; it also needs node.id, node.cluster and an admin page on loopback")
    typer.echo(yaml.safe_dump({"dynamic_resources": needed["dynamic_resources"]}, sort_keys=False), nl=False)
    say("# into the filter chain of the listener that your users enter by")
    typer.echo(yaml.safe_dump({"filters": needed["filters"]}, sort_keys=False), nl=False)


def stop(name: OptionalName = None, files: Files = None, state: StateDir = None) -> None:
    """Stop Envoy. Conversations through it end; refused while a controller uses it."""
    from rollout.adapters.routers.envoy_managed import port_problem
    from rollout.adapters.storage.sqlite import SqliteStore
    from rollout.cli.files import state_of
    from rollout.cli.options import pick
    from rollout.errors import Busy, Fault, InvalidInput, RouterUnavailable
    from rollout.local.wiring import LocalWiring
    from rollout.model.api.wiring import local_spec

    store = SqliteStore(state_of(state, files))
    row = pick(store, name)
    if row.holder:
        raise Busy(
            f"a controller ({row.holder}) uses this Envoy: end that first (Ctrl-C there, or kill it: it loses nothing)"
        )
    if row.rollout.status.is_active:
        remedy = f"end it first: rollout abort {row.rollout.metadata.name}"
        raise InvalidInput([Fault("router", "users' traffic is split by it: a rollout is under way", remedy)])
    with LocalWiring(row.rollout, store.directory) as wired:
        ran, listen = wired.envoy.admin() is not None, local_spec(row.rollout.spec).envoy.listen
        if listen is None:
            remedy = "end it as you started it"
            raise InvalidInput([Fault("router", "this Envoy is your own: it is never stopped from here", remedy)])
        if not ran and (problem := port_problem(listen)):
            message = f"nothing that answers as our Envoy listens on {listen}, but it is taken: {problem}"
            raise RouterUnavailable(f"{message}. If it is a hanging Envoy, end that process")
        wired.envoy.stop()
    say("stopped" if ran else "it was not running")
