"""Replace a file in one step: whoever opens it finds the old content or the new, never a part."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO
from zlib import crc32


def write_atomically(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a new file, then put that file in the place of `path`.

    A crash, a full disk or an error in `write` leaves an earlier file as it was. Several
    processes may write the same path at once: each file is whole, the last one stays.

    Parameters
    ----------
    path : str or path-like
        File to create or replace. Its folder must exist. A symbolic link stays a link, and an
        earlier file's permissions are kept.
    write : callable
        Called once with a seekable binary file that is open for writing.

    Raises
    ------
    OSError
        If `path` is a folder or a device, or its folder is missing or cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(f"Got path={os.fspath(path)!r}, expected a regular file or a new name.")
    temporary = target.with_name(f"{_mark(target)}{token_hex(4)}.tmp")
    try:
        file = temporary.open("xb")
    except OSError as error:
        # The caller knows nothing of the temporary name.
        error.filename = os.fspath(path)
        raise
    try:
        with file:
            write(file)
            file.flush()
            # Without it some file systems may keep the new name but not yet the content when
            # the machine goes down.
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove the temporary files of writers of this path that were killed.

    Only for a path that nobody else writes now.
    """
    target = Path(os.path.realpath(path))
    for leftover in target.parent.glob(f"{_mark(target)}*.tmp"):
        with suppress(OSError):
            leftover.unlink()


def _mark(target: Path) -> str:
    """How the names of a target's temporary files begin."""
    # A name of the longest length that is allowed has no room for more than a few characters.
    return f".{crc32(os.fsencode(target.name)):08x}-"
