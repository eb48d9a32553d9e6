"""The Git port: libgit2 in kept child processes; the parent enforces every deadline."""
