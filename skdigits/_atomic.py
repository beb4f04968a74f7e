"""Replace a file in one step: a reader finds the old content or the new one, never a part."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO
from zlib import crc32

# On Windows an open file can be neither removed nor renamed, so it needs no lock.
if sys.platform != "win32":
    import fcntl


def write_atomically(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> None:
    """Write a temporary file in the same folder, then rename it to `path`.

    A crash, a full disk or an error in `write` leaves an earlier file unchanged. Several
    processes may write the same path at once: each file is complete, and the last one stays.
    Temporary files of the same path that killed processes left behind are removed.

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
        If `path` is a folder or a device, or its folder is missing or cannot be written. Errors
        of the file system name `path`, not the temporary file.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(f"Got path={os.fspath(path)!r}, expected a regular file or a new name.")
    remove_leftovers(path)
    temporary = target
    try:
        with _locked_temporary(target) as file:
            temporary = Path(file.name)
            write(file)
            file.flush()
            # After a power failure some file systems have the new name without the content
            # unless the content was synchronised first.
            os.fsync(file.fileno())
            if sys.platform == "win32":
                file.close()
            with suppress(FileNotFoundError):
                shutil.copymode(target, temporary)
            # The lock is held until the file has its final name.
            os.replace(temporary, target)
    except BaseException as error:
        if temporary != target:
            with suppress(OSError):
                temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None and _is_about(error, target):
            error.filename, error.filename2 = os.fspath(path), None
        raise


def remove_leftovers(path: str | os.PathLike[str]) -> None:
    """Remove temporary files of `path` that no running process is writing."""
    target = Path(os.path.realpath(path))
    for leftover in target.parent.glob(f"{_prefix(target)}*.tmp"):
        # OSError: another process is writing it.
        with suppress(OSError), leftover.open("rb+") as file:
            if sys.platform == "win32":
                file.close()
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leftover.unlink()


def _locked_temporary(target: Path) -> BinaryIO:
    """Create a temporary file that is locked until it is closed."""
    while True:
        file = target.with_name(f"{_prefix(target)}{token_hex(4)}.tmp").open("xb")
        if sys.platform == "win32":
            return file
        # Without the lock, as on some network file systems, nobody removes the file.
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        # Another writer may have removed it as a leftover before it was locked.
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()


def _is_about(error: OSError, target: Path) -> bool:
    """Whether an error is about the temporary file; write and fsync give no name."""
    name = error.filename
    return name is None or os.fspath(name).startswith(str(target.with_name(_prefix(target))))


def _prefix(target: Path) -> str:
    """Return the first characters of the names of a target's temporary files."""
    # A hash, because a name of the maximum length cannot be extended.
    return f".{crc32(os.fsencode(target.name)):08x}-"
