"""What both wirings share: the loop, the work queue, clock, logs, signals."""
