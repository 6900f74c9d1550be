"""Rules across the fields of documents."""
