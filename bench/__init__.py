"""Benchmarks on a real API server on this machine. They report ratios, because machines are noisy."""
