"""What `nopea create` asks of the Git server and of the cluster before it makes a GitRepository."""
