"""What goes out: CDEvents, notifications, commit statuses; queued, retried, never in the way of a pass."""
