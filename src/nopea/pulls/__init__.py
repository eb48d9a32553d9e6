"""Plans pull requests, and comments the plans at their Git servers."""
