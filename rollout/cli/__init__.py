"""The command line: one file per group of verbs, rendering apart from logic."""
