"""What the process remembers and reconciliations share; what must survive is written to Kubernetes."""
