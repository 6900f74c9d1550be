"""Webhooks: one short request at a time, so that nobody waits for whoever is asked.

    POST url   {"id", "point", "rollout", "namespace", "stable", "candidate", "urls", "preview"}   Idempotency-Key: id
      200  {"passed": true, "message": "..."}     the verdict
      202  Location: /where/to/poll               it is being worked on
    GET  what Location named, every `pollEvery`:  200 with the verdict, or 202

Anything else is no verdict: not a 200 without one, not a redirect, not a page that is too large, not silence. It is
told, and asked again until the check's time is over. `passed` must be true or false, not a word that looks like it.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urljoin, urlsplit

from rollout.adapters.egress import Egress
from rollout.adapters.http import Response, Services
from rollout.engine.facts import CheckFact
from rollout.errors import PageUnavailable
from rollout.model.api.gates import Webhook
from rollout.redaction import SECRETS

REQUEST_TIMEOUT_S = 10.0
ANSWER_MAX_BYTES = 64 * 1024
MESSAGE_MAX = 500


def ask(services: Services, egress: Egress, hook: Webhook, question: dict[str, Any], where: str) -> CheckFact:
    """Ask once: begin the check, or poll `where` if it is known. Never raises: trouble is a fact without verdict."""
    headers = {"Idempotency-Key": str(question["id"]), "Accept": "application/json"}
    method, url, body = ("GET", where, None) if where else ("POST", hook.url, question)
    try:
        egress.check(url, str(question["namespace"]))
        if hook.auth is not None:
            headers["Authorization"] = f"Bearer {egress.token(hook.auth.bearer.env, url)}"
        answer = services.ask(method, url, body, headers, REQUEST_TIMEOUT_S, ANSWER_MAX_BYTES)
    except PageUnavailable as error:
        return CheckFact(where=where, message=str(error))
    return read(answer, hook.url, where)


def read(answer: Response, url: str, where: str) -> CheckFact:
    """Return what an answer says; a `where` that it names must lie at the same origin as `url`."""
    if answer.status == 202:
        try:
            target = urljoin(where or url, answer.location) if answer.location else where
            elsewhere = urlsplit(target)[:2] != urlsplit(url)[:2] or not target.isprintable()
        except ValueError:
            target, elsewhere = answer.location, True
        if not target:
            return CheckFact(message="answered 202 without a Location to poll")
        if SECRETS.redact(target) != target:  # it is kept in the status, to be polled
            return CheckFact(where=where, message="answered 202 with a Location that has a token in it")
        if elsewhere:
            return CheckFact(where=where, message=f"answered 202 with a Location elsewhere: {clean(target)}")
        return CheckFact(where=target, message=_message_of(answer.text) or "is being worked on")
    if answer.status != 200:
        return CheckFact(where=where, message=f"answered {answer.status}, which is no verdict")
    try:
        body = json.loads(answer.text)
    except (ValueError, RecursionError):
        return CheckFact(where=where, message="answered 200 with something that is not JSON, which is no verdict")
    passed = body.get("passed") if isinstance(body, dict) else None
    if not isinstance(passed, bool):
        message = 'answered 200 without "passed": true or false, which is no verdict'
        return CheckFact(where=where, message=message)
    return CheckFact(passed=passed, where=where, message=_message_of(answer.text))


def _message_of(text: str) -> str:
    """Return the message in an answer, if it has one."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    message = body.get("message", "") if isinstance(body, dict) else ""
    return clean(message) if isinstance(message, str) else ""


def clean(text: str) -> str:
    """Return what others say as one short line that can be written down and shown: no control characters."""
    text = " ".join(text.encode("utf-8", errors="replace").decode("utf-8").split())
    text = SECRETS.redact(text)  # before it is cut: no half of a secret stays
    text = "".join(letter for letter in text if letter.isprintable())
    return text if len(text) <= MESSAGE_MAX else text[: MESSAGE_MAX - 1] + "…"
