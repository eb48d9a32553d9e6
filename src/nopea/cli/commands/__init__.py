"""The subcommands of `nopea`, one file each; main.py lists them."""
