"""Finds what differs between the applied, the desired and the live object, and what of it may be shown."""
