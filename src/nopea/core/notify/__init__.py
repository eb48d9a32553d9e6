"""Notifications and commit statuses: which are sent, in which format and how often."""
