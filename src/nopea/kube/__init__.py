"""The Kubernetes port: a thin client, discovery, watches and their errors."""
