"""Plans of pull requests: which is next, what may be shown of it, and the comment. Pure."""
