"""What people see: a status, a live screen, a result."""
