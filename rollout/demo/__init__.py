"""Everything real on one machine: two versions of an agent, a load of conversations, the files of a rollout."""
