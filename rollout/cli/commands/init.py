"""`rollout init`: writes a commented rollout.yaml and a policy, from answers or from options."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from rollout.cli import streams
from rollout.cli.completion import policies
from rollout.cli.files import DEFAULT_FILE
from rollout.cli.say import say
from rollout.errors import Fault, InvalidInput

_DOCUMENT = """\
# What is released, and where. Check it with: rollout lint {file}
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {{name: "{name}"}}
spec:
  version: "{stable}"              # in use now; `rollout start {candidate}` releases the other
  backends:
    endpoints:                     # each version on an address of its own; several with one version share its traffic
    - {{version: "{stable}", url: "{stable_url}"}}
    - {{version: "{candidate}", url: "{candidate_url}"}}
  routes:
  - envoy: {{listen: "{listen}"}}  # started for you; send your users here{preview}
  metrics:
    scrape: {{path: "{metrics}"}}  # each agent's own metrics page; no Prometheus needed
  conversations:
    pinBy: {{header: "{header}"}}  # requests with the same value stay on one version
    turns: 10                      # how many requests a conversation usually has
  policyRef: {{name: "{policy}"}}  # policies/{policy}.yaml, yours to change
"""

LISTEN = "127.0.0.1:8080"
PAGE_TIMEOUT_S = 2.0

_PREVIEW = '\n  #   preview: "127.0.0.1:8081"  # inside the braces: where a blue-green candidate can be tried out'


def register(app: typer.Typer) -> None:
    @app.command()
    def init(
        name: Annotated[str | None, typer.Option(help="What the rollout is called, such as support-agent.")] = None,
        stable: Annotated[
            str | None, typer.Option(metavar="VERSION=URL", help="The version in use, and where it answers.")
        ] = None,
        candidate: Annotated[
            str | None, typer.Option(metavar="VERSION=URL", help="The version to release next.")
        ] = None,
        listen: Annotated[
            str | None, typer.Option(metavar="HOST:PORT", help="The address that users connect to.")
        ] = None,
        policy: Annotated[
            str | None, typer.Option(autocompletion=policies, help="Which ready-made policy to copy.")
        ] = None,
        metrics: Annotated[
            str, typer.Option(metavar="PATH", help="The path of the agents' metrics pages.")
        ] = "/metrics",
        header: Annotated[str, typer.Option(help="The header that names a conversation.")] = "x-thread-id",
        file: Annotated[Path, typer.Option("--file", "-f", help="Where to write it.")] = DEFAULT_FILE,
        force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    ) -> None:
        """Write a commented rollout.yaml and a policy. Ask for each value that no option sets."""
        known = ready_made_policies()
        if sys.stdin.isatty() and not force and file.exists():  # before anybody answers five questions
            raise InvalidInput([_taken(file)])
        name = _answer(name, "name", "What is the agent called?", "support-agent", _name_problem)
        in_use = _answer(
            stable, "stable", "Which version is in use, and where?", "v1=http://127.0.0.1:9001", _version_problem
        )
        to_come = _answer(
            candidate, "candidate", "Which is the next, and where?", "v2=http://127.0.0.1:9002", _version_problem
        )
        listen = listen or (
            _answer(None, "listen", "Which address do users connect to?", LISTEN, _address_problem)
            if sys.stdin.isatty()
            else LISTEN
        )
        chosen = _answer(
            policy,
            "policy",
            f"Which policy ({', '.join(known)})?",
            "canary-cautious",
            lambda text: "" if text in known else f"use one of {', '.join(known)}",
        )
        versions = [_version(text) for text in (in_use, to_come)]
        text = _DOCUMENT.format(
            file=file,
            name=name,
            stable=versions[0][0],
            stable_url=versions[0][1],
            candidate=versions[1][0],
            candidate_url=versions[1][1],
            listen=listen,
            preview=_PREVIEW if "blue-green" in chosen else "",
            metrics=metrics,
            header=header,
            policy=chosen,
        )
        _write(file, text, chosen, known, force=force)
        say(f"wrote {file} and {file.parent / 'policies' / chosen}.yaml")
        _tell_kpis({version: url.rstrip("/") + metrics for version, url in versions}, file.parent / "policies" / chosen)
        say(f"next: start both versions, then `rollout lint {file}` and `rollout start {versions[1][0]}`", err=True)


def _tell_kpis(urls: dict[str, str], policy: Path) -> None:
    """Read both pages, where they can be read, and say which KPIs could be counted there, or what there is."""
    from rollout.adapters.http import Pages
    from rollout.adapters.metrics.page import read_page
    from rollout.cli.offers import offers
    from rollout.errors import PageUnavailable

    http, pages = Pages(), {}
    try:
        for version, url in urls.items():
            try:
                pages[version] = read_page(http.get(url, PAGE_TIMEOUT_S), url)
            except PageUnavailable as error:
                say(f"the metrics page of {version} cannot be read yet: {error}", err=True)
                continue
            if pages[version].problem:
                say(f"the metrics page of {version}: {pages[version].problem}", err=True)
    finally:
        http.close()
    if len(pages) < len(urls) or any(page.problem for page in pages.values()):
        return
    if lines := offers(pages):
        say(
            f"KPIs that both pages can count, for {policy}.yaml:\n" + "\n".join(f"  {line}" for line in lines), err=True
        )
    else:
        names = sorted(set.intersection(*(set(page.names) for page in pages.values())))
        say(f"no KPI is known for what both pages have: {', '.join(names) or 'nothing'} (docs/kpis.md)", err=True)


def _answer(
    given: str | None, option: str, question: str, usual: str, problem: Callable[[str], str] = lambda _: ""
) -> str:
    """Return what an option says, else what somebody at the terminal answers, asked until it is right; else refuse."""
    if given is not None:
        if remedy := problem(given):
            raise InvalidInput([Fault(f"--{option}", "cannot be used", remedy, given)])
        return given
    if not sys.stdin.isatty():
        raise InvalidInput(
            [Fault(f"--{option}", "is missing, and there is no terminal to ask on", f"--{option} {usual}")]
        )
    while True:
        try:
            answer = str(typer.prompt(question, default=usual, err=True))
        except typer.Abort:  # Ctrl-C, or the end of the input: nothing was written
            say(err=True)
            raise typer.Exit(streams.INTERRUPTED) from None
        if not (remedy := problem(answer)):
            return answer
        say(f"  {remedy}", err=True)


def _name_problem(text: str) -> str:
    import re

    right = re.match(r"^[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?$", text)
    return "" if right else "use small letters, digits and dashes, such as support-agent"


def _version_problem(text: str) -> str:
    import re

    from rollout.model.units import VERSION_PATTERN

    version, url = _version(text)
    right = re.match(VERSION_PATTERN, version) and url.startswith("http://")
    return "" if right else "write it like v2=http://127.0.0.1:9002"


def _version(text: str) -> tuple[str, str]:
    version, _, url = text.partition("=")
    return version, url


def ready_made_policies() -> dict[str, Path]:
    """Return the ready-made policies by name: beside the package when installed, beside its folder in a checkout."""
    import rollout

    package = Path(rollout.__file__).parent
    for folder in (package / "policies", package.parent / "policies"):
        if policies := {path.stem: path for path in sorted(folder.glob("*.yaml"))}:
            return policies
    return {}


def _write(file: Path, text: str, chosen: str, known: dict[str, Path], *, force: bool) -> None:
    """Write both files, or neither. Raises InvalidInput with every fault."""
    from rollout.model.documents import Documents, read_text

    documents = Documents()
    read_text(text, str(file), documents)
    faults = list(documents.faults)
    copy = file.parent / "policies" / f"{chosen}.yaml"
    if not force:
        faults += [_taken(path) for path in (file, *([copy] if _differs(copy, known[chosen]) else [])) if path.exists()]
    if faults:
        raise InvalidInput(faults)
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(known[chosen].read_text(encoding="utf-8"), encoding="utf-8")
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        raise InvalidInput([Fault(str(error.filename), message, "check the path and its permissions")]) from error


def _taken(path: Path) -> Fault:
    return Fault(str(path), "already exists", "name another with --file, or write over it with --force")


def _address_problem(text: str) -> str:
    host, _, port = text.rpartition(":")
    right = bool(host) and port.isascii() and port.isdigit() and 0 < int(port) < 65_536
    return "" if right else f"write host and port, such as 127.0.0.1:{text if text.isdigit() else 8080}"


def _differs(copy: Path, original: Path) -> bool:
    try:
        return copy.read_text(encoding="utf-8") != original.read_text(encoding="utf-8")
    except OSError:
        return False
