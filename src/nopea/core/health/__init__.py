"""Decides from live objects alone whether they are healthy (kstatus rules), and why not."""
