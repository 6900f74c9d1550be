"""For agents: conversations stay on the version that they began on, and are counted. docs/conversations.md shows it.

It needs the standard library and `prometheus_client`, and nothing else of this project.

* `PinMiddleware` goes around an ASGI application (FastAPI, Starlette, LangGraph's server).
* `OpenConversations` counts by version: begun, finished, failed, open.
* `new_thread_id` and `version_of` are thread ids that carry their version.
* `role_of` says whether a version is stable, candidate or draining, for workers that no route leads to.
* `pin_hooks` lets an agent's own httpx client or gateway keep its conversations where they are.
"""

from rollout.agent.asgi import PinMiddleware
from rollout.agent.client import pin_hooks
from rollout.agent.conversations import OpenConversations
from rollout.agent.role import Role, role_of
from rollout.agent.threads import new_thread_id, version_of

__all__ = [
    "OpenConversations",
    "PinMiddleware",
    "Role",
    "new_thread_id",
    "pin_hooks",
    "role_of",
    "version_of",
]
