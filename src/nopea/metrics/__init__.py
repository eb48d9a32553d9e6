"""Prometheus metrics, and traces."""
