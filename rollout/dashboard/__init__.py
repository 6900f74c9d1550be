"""The dashboard: pages that are rendered here, for one machine or a cluster. It shows what `rollout.views` says."""
