"""`python -m nopea` is the `nopea` command."""

from nopea.cli.main import main

if __name__ == "__main__":
    main()
