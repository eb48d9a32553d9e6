"""From files in Git to the objects to apply: which files, YAML, checks, namespaces, order."""
