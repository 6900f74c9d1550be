"""What people write: Rollout and RolloutPolicy, field by field."""
