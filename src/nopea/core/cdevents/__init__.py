"""CDEvents: which events a repository's step is, and how they are written. Values only; delivers nothing."""
