"""Decides for every object one action and its reason, and what may be deleted."""
