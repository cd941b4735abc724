"""The one error that is the user's to mend: the command line prints it as a single line and exits with 2."""


class UserError(ValueError):
    """Bad input. The message says what is wrong, where, and how to fix it, in one line."""


def nearest(word: str, choices: list[str]) -> str:
    """`; did you mean 'x'?` when a close choice exists, else the choices themselves."""
    import difflib

    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}? (known: {', '.join(choices)})"
    return f"; known: {', '.join(choices)}"
