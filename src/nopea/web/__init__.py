"""The HTTP server: probes and webhooks; metrics and the dashboard have their place here."""
