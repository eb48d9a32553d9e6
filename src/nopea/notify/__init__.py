"""Delivers what happened to the outside: CDEvents, notifications, commit statuses. One queue per receiver."""
