"""How many conversations of a version are open: counted beside the turns, from wherever a Rollout says."""
