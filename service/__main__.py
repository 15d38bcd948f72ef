"""`python -m service`, and `lotus-manage` where it is installed.

The processes of engines import this module too, so it does nothing by being imported.
"""


def main() -> None:
    """Runs the command line."""
    from service.cli import commands

    commands.main()


if __name__ == "__main__":
    main()
