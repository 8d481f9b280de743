"""`python -m hpo`, for where the command is not on the path."""

from hpo.cli import main

if __name__ == "__main__":
    main()
