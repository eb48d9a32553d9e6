"""Delivers CDEvents, notifications and commit statuses to the outside, with one queue per receiver."""
