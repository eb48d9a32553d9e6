"""A local control plane: real etcd, API server and controller manager on loopback."""
