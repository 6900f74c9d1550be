"""What the controller writes: where a rollout is, and why."""
