"""What an error of PostgreSQL or its client means, in our words: the texts of both quote passwords and values."""

from __future__ import annotations

import re

from rollout.causes import why

_STATES = {
    "28": "authentication failed: correct the user and the password in its address",
    "3D": "there is no such database: correct its address",
    "42501": "the role may not read it: grant SELECT on checkpoints, checkpoint_blobs and checkpoint_writes",
    "42703": "its tables are not those of a store that is known here: is it a newer one?",
    "42": "its tables are not those of a store that is known here",
    "53": "the server has no room for another connection or query: try later, or raise its limits",
    "55P03": "somebody has locked its tables for longer than we wait",
    "57": "the server is shutting down, or has ended the query",
    "22": "a value in it cannot be read",
}
"""By SQLSTATE, or its class: Appendix A of PostgreSQL's manual."""

_PHRASES = (
    ("password", "authentication failed: correct the user and the password in its address"),
    ("authentication", "authentication failed: correct the user and the password in its address"),
    ("pg_hba", "the server does not let this host or user in: see its pg_hba.conf"),
    ("refused", "nothing listens at its address"),
    ("resolve", "the name of its host cannot be resolved"),
    ("translate host", "the name of its host cannot be resolved"),
    ("not known", "the name of its host cannot be resolved"),
    ("timeout", "it did not answer in time"),
    ("timed out", "it did not answer in time"),
    ("certificate", "its certificate cannot be verified"),
    ("SSL", "TLS failed: see sslmode in its address"),
    ("too many", "the server has no room for another connection"),
    ("does not exist", "there is no such database or role: correct its address"),
    ("starting up", "the server is starting"),
    ("shutting down", "the server is shutting down"),
    ("closed", "it closed the connection"),
)
"""By words of libpq's own texts, which have no SQLSTATE. Nothing of such a text is ever passed on."""


def meaning_of(error: Exception) -> str:
    """Return what an error of psycopg means."""
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str) and re.fullmatch(r"[0-9A-Z]{5}", state):
        known = _STATES.get(state) or _STATES.get(state[:2])
        return known or f"the server answers with the error {state}"
    text = str(error)
    return next((meaning for phrase, meaning in _PHRASES if phrase in text), why(error))
