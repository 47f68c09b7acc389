"""`python -m bot` is the `beto` command."""

from bot.cli import main

main()
