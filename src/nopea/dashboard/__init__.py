"""The dashboard: one set of pages, served by the controller (read-only) and by `nopea ui` (with actions)."""
