"""Which route is wanted, what is borrowed of it, what stands in its way."""
