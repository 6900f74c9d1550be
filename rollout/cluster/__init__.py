"""The Kubernetes API as this tool needs it: plain objects, bounded calls, errors of our own tree."""
