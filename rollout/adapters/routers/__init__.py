"""Routes: the rule that is shifted, in Gateway API, Istio and Envoy."""
