"""What a rollout looks like for people, in words and numbers: pure, and the same for every screen that shows it."""
