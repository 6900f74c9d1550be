"""Spans of time in words: for modules that import nothing else."""


def span(seconds: float) -> str:
    """Write a span of time for people: 42s, 9m, 3h20m."""
    seconds = max(0, round(seconds))
    if seconds < 120:
        return f"{seconds}s"
    minutes = seconds // 60
    return f"{minutes}m" if minutes < 120 else f"{minutes // 60}h{minutes % 60:02d}m"
