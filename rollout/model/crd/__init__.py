"""The custom resource definitions, made from the model: one truth for what people write."""
