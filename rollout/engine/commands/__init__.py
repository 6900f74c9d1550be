"""What people ask for: promote, approve, pause, resume, abort, retry, undo, drain."""
