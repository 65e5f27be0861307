"""`python -m bayescale`: the command line."""

from bayescale.cli.app import main

if __name__ == "__main__":
    main()
