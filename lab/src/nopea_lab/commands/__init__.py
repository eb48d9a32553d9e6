"""`nopea lab` and `nopea demo`: the subcommands that this package adds."""
