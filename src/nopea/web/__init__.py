"""The HTTP server: probes now; metrics, webhooks and the dashboard have their place here."""
