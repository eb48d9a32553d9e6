"""Watches and caches the live objects that Nopea applied, one informer per kind."""
