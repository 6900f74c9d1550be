"""Export: what an agent's own code says of its state, as a contract. Runs where the agent's code is, never elsewhere.

>>> from rollout.contracts.export import export, ServeContract
>>> app = ServeContract(app, export(graph, agent="support", version="v2"))
"""

from rollout.contracts.export.serve import ServeContract
from rollout.contracts.export.target import export, load_target

__all__ = ["ServeContract", "export", "load_target"]
