"""What the server says instead of an answer: a status and one line for the page."""

from __future__ import annotations


class Refusal(Exception):
    """Becomes `{"error": message}` with the status.

    404 unknown, 408 too slow, 409 a run without a model, 410 a run that vanished or is damaged, 413 too long, 422 not
    understood, 503 too busy. 204, superseded by a newer keystroke, says nothing: nobody reads it.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
