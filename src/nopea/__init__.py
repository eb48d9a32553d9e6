"""Nopea keeps Kubernetes clusters equal to Git, and says who made them differ."""

__version__ = "0.1.0"
