"""`python -m flawsmith`."""

from flawsmith.apps.cli.main import main

main()
