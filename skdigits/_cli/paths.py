"""Paths of files to read and to write."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from .errors import CommandError


def existing_file(path: str | Path) -> Path:
    """Return the path of a file that exists."""
    if Path(path).is_dir():
        raise CommandError(f"Got the folder {path}, expected a file.")
    if not Path(path).exists():
        raise CommandError(f"File not found: {path}")
    if not Path(path).is_file():
        raise CommandError(f"Got {path}, expected a regular file.")
    return Path(path)


def with_ending(path: Path, ending: str) -> Path:
    """Return the path of a further file in the same folder: digits.skdigits, digits-curves.png."""
    if not path.name:
        raise CommandError(f"Got {path} to write to, expected a file or a new name.")
    return path.with_name(path.stem + ending)


def check_outputs(*paths: Path, inputs: Iterable[str | Path] = ()) -> None:
    """Check before the work that its results can be written.

    Raises
    ------
    CommandError
        If a path is a folder or one of the inputs, or if its folder does not exist or cannot be
        written.
    """
    resolved_inputs = {Path(given).resolve() for given in inputs}
    for path in paths:
        if path.exists() and not path.is_file():
            raise CommandError(f"Got {path} to write to, expected a file or a new name.")
        if path.resolve() in resolved_inputs:
            raise CommandError(f"Got {path} to write to, expected a file other than the input.")
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise CommandError(
                f"Got {path} to write to, expected a folder that can be written: "
                f"{path.parent.absolute()}: {error.strerror}."
            ) from error
