"""Services that have a role, not a version: which version is behind each is read from its pods."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from rollout.model.base import Document

LabelKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
        max_length=317,
    ),
]
"""The key of a label, as Kubernetes has it: a name, after a domain and a slash if it has one."""

ServiceName = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$", max_length=63)]

ContainerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", max_length=63)]

VERSION_LABELS = ("version", "app.kubernetes.io/version")
"""Labels by which pods say their version, where none is declared; the first one that a pod has counts."""


class Roles(Document):
    """Two Services, the stable one and the candidate's, behind which versions change."""

    stable: ServiceName = Field(description="The Service that users are on between releases.")
    candidate: ServiceName = Field(description="The Service behind which a new version is rolled out.")
    version_label: LabelKey | None = Field(
        default=None,
        description="The label of the pods that says their version. Without it: version, or app.kubernetes.io/version.",
    )
    version_image: ContainerName | None = Field(
        default=None,
        description="The container whose image says the version, in place of a label: "
        "its tag, or the first 12 digits of its digest where it has no tag.",
    )
    promotion: Literal["pipeline", "swap"] = Field(
        default="pipeline",
        description="Who brings a promoted version behind the stable Service: your pipeline, "
        "or the controller, which sets the images of the stable Deployment (swap).",
    )
