"""What Prometheus reads: the metrics, and how passes, requests and Git operations are counted."""
