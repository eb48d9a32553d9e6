"""YAML and JSON as Kubernetes reads them: text in, JSON values and problems out. Knows nothing of objects."""
