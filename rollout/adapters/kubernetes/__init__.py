"""The Kubernetes API: requests, watches, leases, events."""
