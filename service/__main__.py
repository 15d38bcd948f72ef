"""`python -m service`. Worker processes import this module too, so it does nothing by being imported."""

if __name__ == "__main__":
    from service.cli.commands import main

    main(prog_name="python -m service")
