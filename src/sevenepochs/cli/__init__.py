"""The command line: one file per verb, thin; heavy imports happen inside the functions, so that `--help` is quick."""
