"""Following a release to its end, whoever carries it out."""
