"""What each phase does when it is its turn."""
