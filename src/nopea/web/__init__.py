"""The HTTP server: probes, metrics and webhooks."""
