"""`python -m halloween_host` is `halloween-host`."""

from halloween_host.cli import main

if __name__ == "__main__":
    main()
