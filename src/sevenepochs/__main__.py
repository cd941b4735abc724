"""`python -m sevenepochs` is the command line."""

from sevenepochs.cli.main import entry

entry()
