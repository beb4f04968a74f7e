"""The exception for pictures that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .._text import printable

# Messages are shown in terminals, tables and logs.
_MOST_CHARACTERS = 200


class UnreadableImageError(ValueError):
    """A picture could not be read as one handwritten digit.

    Raised for files that hold no picture, or a broken or a huge one, and for pictures without a
    readable digit: blank ones, noise, several digits side by side. The message names the picture
    and the reason.
    """


@contextmanager
def unreadable_on_error() -> Iterator[None]:
    """Convert any exception from reading one picture, so that the others are still read."""
    try:
        yield
    except UnreadableImageError:
        raise
    except Exception as error:
        raise UnreadableImageError(f"cannot be read: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """Message of another exception in one line of at most 200 characters without a full stop."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(" ".join(str(reason).split()).rstrip("."), _MOST_CHARACTERS)
