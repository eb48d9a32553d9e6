"""Values about Git: URLs, refs, commits, credentials, version ranges."""
