"""What the status holds of endpoints: how many of a version take requests, and who scales it."""

from pydantic import Field

from rollout.model.base import Record


class Endpoints(Record):
    """Endpoints of one version, as they were last counted."""

    ready: int = Field(description="How many endpoints take requests.")
    autoscaler: str = Field(default="", description="The autoscaler that owns the Deployment, if one does.")
    min_replicas: int = Field(default=0, description="How many replicas the autoscaler keeps at least.")
