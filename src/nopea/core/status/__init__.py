"""Views of a finished reconciliation: status, conditions, Events, drift lines."""
