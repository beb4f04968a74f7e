"""Errors in what the user gave, each shown as one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from skdigits._text import printable


class CommandError(Exception):
    """The arguments, or the files that they name, cannot be used."""


def one_line(message: object) -> str:
    """Return a message without line breaks and control characters."""
    return printable(" ".join(describe(message).split()))


def describe(message: object) -> str:
    """Return a message; errors of the file system as reason and file name."""
    if isinstance(message, FileNotFoundError) and message.filename is not None:
        return f"File not found: {message.filename}"
    if isinstance(message, OSError) and message.strerror:
        return f"{message.strerror}: {message.filename or 'standard output'}"
    return str(message)


@contextmanager
def as_command_error(*errors: type[Exception]) -> Iterator[None]:
    """Convert errors that report a mistake of the user."""
    try:
        yield
    except errors as error:
        raise CommandError(one_line(error)) from error


def unknown_choice(received: str, name: str, choices: Iterable[str]) -> CommandError:
    """Return the error for a name that is not one of the choices."""
    choices = list(choices)
    near = get_close_matches(name, choices, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return CommandError(f"Got {received}, expected one of {', '.join(choices)}.{hint}")
