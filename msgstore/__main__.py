"""`python -m msgstore`: the command, where its script is not on the PATH."""

from msgstore.cli.app import main

if __name__ == "__main__":
    main()
