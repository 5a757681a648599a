"""`python -m bedrot`."""

from bedrot.cli import main

main()
