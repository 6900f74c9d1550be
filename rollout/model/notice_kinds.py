"""What people can be told of a release."""

from typing import Literal, get_args

NoticeKind = Literal[
    "started",
    "stepPassed",
    "paused",
    "needsApproval",
    "resumed",
    "rollingBack",
    "rolledBack",
    "promoted",
    "drift",
    "stuck",
]
"""started: a release has begun. paused: it waits for a human, or is frozen; resumed: it goes on. rollingBack: the
candidate is to get no new conversations; rolledBack: that is effective. drift: a version, or the weights, were changed
by somebody else. stuck: traffic cannot be moved where it must go."""

EVERY_KIND: tuple[NoticeKind, ...] = get_args(NoticeKind)
