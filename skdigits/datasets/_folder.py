"""Loads pictures of digits from folders, one folder per label."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .._text import printable
from ._labelled_images import LabelledImages, encoded

_ERRORS = ("raise", "warn", "ignore")
_HIDDEN = "hidden"
_NESTED = "folder inside of a label's folder"
_MAX_NAMES = 10


def load_digit_folder(
    path: str | os.PathLike[str], *, errors: str = "warn", return_X_y: bool = False
) -> Any:
    """Load pictures of single handwritten digits from one folder per label.

    The name of each folder inside `path` is the label of the pictures in it::

        own/
            0/  scan1.png  scan2.png
            1/  photo.jpg

    :func:`~skdigits.read_digit_images` reads each picture and has the limits of its size. Hidden
    files, deeper folders, links to folders and links to files outside of `path` are not read.

    Parameters
    ----------
    path : str or path-like
        Folder with one folder per label.
    errors : {"raise", "warn", "ignore"}, default="warn"
        How to handle files in which no digit can be read: raise an UnreadableImageError, or leave
        them out with or without a UserWarning. Hidden files never raise or warn.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Sorted by label, then by file name.

        data : ndarray of uint8, shape (n, 784)
            Grey values 0 to 255, white on black, row by row from the top left.
        target : ndarray of str objects, shape (n,)
            The names of the folders.
        images : ndarray of uint8, shape (n, 28, 28)
            The same memory as `data`.
        filenames : ndarray of str objects, shape (n,)
            Path of the file of each row, beginning with `path`.
        unreadable : dict of str to str
            Path of each file or folder that was left out, with the reason.
        frame, feature_names, target_names, categories, DESCR
            As in :func:`fetch_mnist`.
    (data, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    FileNotFoundError
        If `path` does not exist.
    NotADirectoryError
        If `path` is not a folder.
    ValueError
        If `path` has no folders, no picture can be read, or `errors` is invalid.
    UnreadableImageError
        With ``errors="raise"``, if a file or folder has to be left out.

    See Also
    --------
    skdigits.read_digit_images : Read pictures without labels.
    sklearn.datasets.load_files : The same layout of folders for texts.

    Examples
    --------
    >>> from skdigits.datasets import load_digit_folder
    >>> digits = load_digit_folder("own")  # doctest: +SKIP
    >>> digits.data.shape, digits.target[:3], digits.unreadable  # doctest: +SKIP
    ((200, 784), array(['0', '0', '0'], dtype=object), {'own/3/blank.png': '…'})
    """
    if not isinstance(errors, str) or errors not in _ERRORS:
        raise ValueError(f"Got errors={errors!r:.200}, expected one of {_ERRORS}.")
    from .._pictures.digit_reader import read_digit_images
    from .._pictures.errors import UnreadableImageError

    root = Path(path)
    folders, unreadable = _label_folders(root)
    rows, labels, filenames = [], [], []
    for folder in folders:
        for file, reason in _files(folder, root.resolve()):
            try:
                if reason:
                    raise UnreadableImageError(reason)
                rows.append(read_digit_images(file))
            except UnreadableImageError as error:
                # The message begins with the path, which is the key.
                unreadable[str(file)] = str(error).removeprefix(f"{file}: ")
            else:
                labels.append(folder.name)
                filenames.append(str(file))
    _report(unreadable, errors)
    if not rows:
        raise ValueError(_no_picture(root, folders, unreadable))
    y, names = encoded(np.array(labels))
    about = {
        "filenames": np.array(filenames, dtype=object),
        "unreadable": unreadable,
        "DESCR": f"Pictures of handwritten digits from the folder {printable(root)}.",
    }
    images = LabelledImages(np.concatenate(rows), y, names, about)
    return images.as_bunch(return_X_y=return_X_y)


def _label_folders(root: Path) -> tuple[list[Path], dict[str, str]]:
    """The folders of the labels, and what else is in `root` with the reason to leave it out."""
    if not root.exists():
        raise FileNotFoundError(f"Folder not found: {printable(root)}")
    if not root.is_dir():
        raise NotADirectoryError(
            f"Got the file {printable(root)}, expected a folder with one folder per label."
        )
    folders, left_out = [], {}
    for entry in sorted(root.iterdir()):
        if entry.name.startswith("."):
            left_out[str(entry)] = _HIDDEN
        elif entry.is_symlink() and not entry.is_file():
            left_out[str(entry)] = "link to a folder, which is not followed"
        elif not entry.is_dir():
            left_out[str(entry)] = "not in the folder of a label"
        else:
            folders.append(entry)
    if not folders:
        raise ValueError(
            f"Got {printable(root)} with {len(left_out)} files and no folders, expected one "
            "folder per label with its pictures, such as 0, 1, …, 9."
        )
    return folders, left_out


def _files(folder: Path, root: Path) -> Iterator[tuple[Path, str]]:
    """Entries of a label's folder, with the reason not to read them or ""."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        yield folder, f"cannot be listed: {error.strerror}"
        return
    if not entries:
        yield folder, "empty folder"
    for entry in entries:
        if entry.name.startswith("."):
            yield entry, _HIDDEN
        elif entry.is_symlink() and not _leads_to_file_in(entry, root):
            yield entry, "link to a folder or out of the data folder, which is not followed"
        elif entry.is_dir():
            yield entry, _NESTED
        else:
            # Opening a named pipe or a device could wait for ever.
            yield entry, "" if entry.is_file() else "not a regular file"


def _leads_to_file_in(link: Path, root: Path) -> bool:
    try:
        target = link.resolve(strict=True)
    # RuntimeError is Python 3.12's and older's for links in a circle.
    except (OSError, RuntimeError):
        return False
    return target.is_file() and target.is_relative_to(root)


def _report(unreadable: dict[str, str], errors: str) -> None:
    """Raise or warn about files and folders that were left out, except hidden ones."""
    reported = {path: why for path, why in unreadable.items() if why != _HIDDEN}
    if not reported or errors == "ignore":
        return
    path, reason = next(iter(reported.items()))
    first = f"{printable(path)}: {printable(reason).removesuffix('.')}"
    if errors == "raise":
        from .._pictures.errors import UnreadableImageError

        raise UnreadableImageError(f"{first}.")
    warnings.warn(
        f"{len(reported)} files or folders were left out, all with their reasons in the field "
        f"'unreadable'. The first is {first}.",
        UserWarning,
        stacklevel=3,
    )


def _no_picture(root: Path, folders: list[Path], unreadable: dict[str, str]) -> str:
    """Message for folders without any readable picture."""
    names = [printable(folder.name) for folder in folders]
    shown = ", ".join(names[:_MAX_NAMES]) + (", …" if len(names) > _MAX_NAMES else "")
    message = (
        f"Got {printable(root)} with the folders {shown} and no readable picture in them, expected "
        "one folder per label with its pictures."
    )
    parents = [Path(entry).parent for entry, why in unreadable.items() if why == _NESTED]
    if parents:
        return f"{message} {printable(parents[0])} contains folders: try this path."
    path, reason = next(iter(unreadable.items()))
    return f"{message} The first file, {printable(path)}: {printable(reason)}"
