"""The help of a command: what it does, examples, options in groups. And a group that imports what is asked for."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.main import get_group

from rollout.cli import layout
from rollout.cli.verbs import VERBS, examples_of

CLUSTER = "Options in a cluster"
MACHINE = "Options on one machine"
_CHOICES = re.compile(r"<([^<>]+\|[^<>]+)>")
GROUPS = ("Options", MACHINE, CLUSTER)


class VerbCommand(TyperCommand):
    """A command whose help groups its options and shows how it is used."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*_usage(self, ctx)]

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write("\n".join(_help(self, ctx)) + "\n")


class VerbGroup(TyperGroup):
    """A command of commands, with the same help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write("\n".join(_help(self, ctx)) + "\n")


class VerbApp(typer.Typer):
    """A set of commands, all with this help."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=VerbGroup, rich_markup_mode=None, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[..., Any]:
        return super().command(name, cls=VerbCommand, **settings)


class RootGroup(TyperGroup):
    """All verbs: each is imported when it is asked for, and its help needs none of them."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  what the library asks for
        return [*VERBS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        known: MutableMapping[str, Any] = self.commands
        if cmd_name in VERBS and cmd_name not in known:
            known.update(commands_of(VERBS[cmd_name].module))
        return known.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            close = difflib.get_close_matches(args[0], VERBS, n=1)
            ctx.fail(f"there is no command {args[0]}. {f'Did you mean {close[0]}?' if close else 'See rollout --help'}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        formatter.write(layout.root_help(layout.columns()) + "\n")


def commands_of(module: str) -> dict[str, Any]:
    """Return the commands of a module under `rollout.cli.commands`, by name."""
    app = VerbApp()
    app.callback()(lambda: None)  # so that one command is a group too
    importlib.import_module(f"rollout.cli.commands.{module}").register(app)
    return dict(get_group(app).commands)


def _help(command: VerbCommand | VerbGroup, ctx: Any) -> Iterator[str]:
    width = layout.columns()
    for index, paragraph in enumerate(inspect.cleandoc(command.help or "").split("\n\n")):
        yield from [""] if index else []
        yield from textwrap.wrap(" ".join(paragraph.split()), width, break_on_hyphens=False)
    yield from ("", f"Usage: {ctx.command_path} {' '.join(_usage(command, ctx))}")
    if known := examples_of(ctx.command_path.removeprefix("rollout ")):
        yield from ("", *layout.examples(known, width))
    yield from layout.laid_out(_sections(command, ctx), width)


def _usage(command: VerbCommand | VerbGroup, ctx: Any) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, TyperArgument):
            name = _metavar(parameter, ctx)
            yield name if parameter.required else f"[{name}]"
    yield "COMMAND [OPTIONS]" if isinstance(command, VerbGroup) else "[OPTIONS]"


def _sections(command: VerbCommand | VerbGroup, ctx: Any) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    yield "Arguments", [(_metavar(one, ctx), _meaning(one, ctx)) for one in arguments]
    if isinstance(command, VerbGroup):
        yield "Commands", [(name, one.help or "") for name, one in command.commands.items()]
    options: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
    for parameter in command.get_params(ctx):
        if not isinstance(parameter, TyperArgument):
            group = getattr(parameter, "rich_help_panel", None) or "Options"
            options[group].append((_names(parameter, ctx), _meaning(parameter, ctx)))
    yield from options.items()


def _names(option: Any, ctx: Any) -> str:
    names = ", ".join(sorted(option.opts, key=len))
    return names if option.is_flag else f"{names} {_metavar(option, ctx)}"


def _metavar(parameter: Any, ctx: Any) -> str:
    """Return what stands for a value: what was declared, the choices, else the parameter's own name."""
    if parameter.metavar:
        return str(parameter.metavar)
    record = parameter.get_help_record(ctx)
    choices = _CHOICES.search(record[0] if record else "")
    return choices[1] if choices else str(parameter.name).upper().replace("_", "-")


def _meaning(parameter: Any, ctx: Any) -> str:
    """Return the help of a parameter, with its default and variable as the library finds them."""
    record = parameter.get_help_record(ctx)
    return " ".join((record[1] if record else "").split())
