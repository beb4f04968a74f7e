"""Picture files: their names from arguments, and their reading."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from glob import has_magic
from pathlib import Path
from typing import TypeVar

from skdigits.preprocessing import UnreadableImageError

from .errors import CommandError, one_line

# Suffixes of the files in a folder that are read as pictures.
SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}

# Fewer pictures than this are read without a progress bar.
N_WITH_PROGRESS = 50

T = TypeVar("T")


def find_pictures(argument: str) -> list[Path]:
    """Return the files that an argument names: a file, a folder's pictures or those of a pattern.

    Symbolic links to folders are followed where a folder or a pattern names them, and not by
    ``**``: they may form loops.
    """
    path = Path(argument)
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not files:
            raise CommandError(f"Got the folder {argument}, expected pictures in it.")
        return files
    if not path.exists() and has_magic(argument):
        files = _matches(path)
        if not files:
            raise CommandError(f"Got the pattern {argument}, expected files that match it.")
        return files
    return [path]


def _matches(pattern: Path) -> list[Path]:
    parts = pattern.parts
    first = next(i for i, part in enumerate(parts) if has_magic(part))
    try:
        found = Path(*parts[:first]).glob(str(Path(*parts[first:])))
        return sorted({path for path in found if path.is_file()})
    except ValueError as error:
        raise CommandError(f"Got the pattern {pattern}: {error}.") from error


def read_each(paths: list[Path], read: Callable[[Path], T]) -> list[T | UnreadableImageError]:
    """Call a function for each picture, with a progress bar where there are many."""
    shown: Iterable[Path] = paths
    if len(paths) >= N_WITH_PROGRESS:
        from rich.progress import track

        from .console import progress_console

        shown = track(paths, "Reading", console=progress_console(), transient=True)
    return [_read(path, read) for path in shown]


def _read(path: Path, read: Callable[[Path], T]) -> T | UnreadableImageError:
    try:
        return read(path)
    except UnreadableImageError as error:
        return UnreadableImageError(one_line(error))
