"""Differences between the applied, the desired and the live object, and what may be shown of them."""
