"""Charts and files from elsewhere: over https and from OCI registries, bounded and verified by digest."""
