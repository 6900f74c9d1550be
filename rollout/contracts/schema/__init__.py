"""Is every value that one JSON Schema lets a writer write accepted by another? Sound before complete."""
