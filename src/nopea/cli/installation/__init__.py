"""Installing, upgrading and removing Nopea with what the package itself carries."""
