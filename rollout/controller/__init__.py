"""The daemon in a cluster: informers, workers, leadership, health, its own metrics."""
