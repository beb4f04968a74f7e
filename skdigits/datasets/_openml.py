"""Images of OpenML, with a compact cache next to that of scikit-learn."""

from __future__ import annotations

import json
import re
import shutil
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from math import isqrt
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZipFile

import numpy as np

from .._atomic import write_atomically
from ._labelled_images import Array, LabelledImages, encoded

DIGITS = list("0123456789")
N_TRAIN, N_TEST = 60_000, 10_000
_N_PIXELS = 784
_MIN_SIDE = 8


class _Source(NamedTuple):
    """A data set on OpenML.

    Parameters
    ----------
    name : str
        Name of the file in the cache, without suffix.
    query : dict
        Arguments of ``fetch_openml``.
    is_known : bool
        Whether it has the shape and classes of MNIST.
    """

    name: str
    query: dict[str, Any]
    is_known: bool


_MNIST = _Source("mnist_784", {"name": "mnist_784", "version": 1}, True)
_FASHION = _Source("Fashion-MNIST", {"data_id": 40996}, True)
_KNOWN = {"mnist_784": _MNIST, 554: _MNIST, "fashion-mnist": _FASHION, 40996: _FASHION}

# pandas reads int64 by default. With this quote character it reads classes in both notations, '5'
# and 5; scikit-learn 1.9.1 with pandas 3.1 fails on the second. Without a dtype here scikit-learn
# asks for categories, where the same error occurs.
_READ_MNIST = {"dtype": "uint8", "quotechar": "'"}
_READ_OTHER = {"dtype": None, "quotechar": "'"}

# warnings.catch_warnings in two threads at the same time can leave the filters changed.
_FETCH_LOCK = threading.Lock()


def cached_images(home: Path, name: str | int) -> LabelledImages:
    """A data set of OpenML by name or id, from the compact cache if it is there.

    Raises
    ------
    ValueError
        If `name` is not a possible name, or the data set does not consist of images.
    OSError
        If it could not be fetched.
    """
    source = _source(name)
    path = home / "skdigits" / f"{source.name}.npz"
    images = _read_cache(path, source)
    if images is None:
        with _FETCH_LOCK:
            images = _fetch_from_openml(home, name, source)
        # Without the file the next call takes longer, but works.
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, partial(_write_cache, images=images))
    return images


def _source(name: Any) -> _Source:
    is_id = isinstance(name, (int, np.integer)) and not isinstance(name, bool) and name > 0
    # The name is part of a URL and of a file name.
    is_name = isinstance(name, str) and re.fullmatch(r"[\w()+,-][\w()+,.-]{0,99}", name)
    if not (is_id or is_name):
        raise ValueError(
            f"Got name={name!r:.200}, expected the name or id of a data set on OpenML, such as "
            "'mnist_784', 'Fashion-MNIST' or 40996."
        )
    name = int(name) if is_id else str(name)
    known = _KNOWN.get(name.lower() if isinstance(name, str) else name)
    if known is not None:
        return known
    query = {"data_id": name} if is_id else {"name": name}
    return _Source(f"openml_{name}" if is_id else str(name), query, False)


def _read_cache(path: Path, source: _Source) -> LabelledImages | None:
    """The content of a file of :func:`_write_cache`; None if it is missing or damaged."""
    try:
        with ZipFile(path) as archive:
            X, y, text = (_read_member(archive, name) for name in ("X", "y", "about"))
        about = json.loads(text.tobytes())
        images = LabelledImages(X, y, about.pop("labels", DIGITS), about)
        _check_images(images, source)
    except MemoryError:
        raise
    # A damaged archive raises many kinds of exceptions: for a wrong checksum, for a NumPy header
    # that is not valid Python, for a flag of encryption.
    except Exception:
        return None
    return images


def _read_member(archive: ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
        # zipfile compares checksums at the end of the member. NumPy stops before the end if the
        # header has a wrong length.
        member.read()
    return array


def _write_cache(file: BinaryIO, images: LabelledImages) -> None:
    about = json.dumps(images.about | {"labels": images.labels}).encode()
    # Uncompressed files are read eight times as fast, and zip has checksums anyway.
    np.savez(file, X=images.X, y=images.y, about=np.frombuffer(about, dtype=np.uint8))


def _check_images(images: LabelledImages, source: _Source) -> None:
    X, y = images.X, images.y
    expected = (N_TRAIN + N_TEST, _N_PIXELS)
    if source.is_known and (X.shape != expected or images.labels != DIGITS):
        raise ValueError(
            f"Got images of shape {X.shape} with labels {images.labels[:20]}, expected {expected} "
            f"and {DIGITS}."
        )
    if X.ndim != 2 or y.shape != X.shape[:1] or y.dtype.kind != "u" or X.dtype != np.uint8:
        raise ValueError(
            f"Got images of shape {X.shape} and dtype {X.dtype}, targets of shape {y.shape} and "
            f"dtype {y.dtype}, expected uint8 images of shape (n, n_pixels) and n unsigned "
            "integers."
        )
    if y.max() >= len(images.labels):
        raise ValueError(f"Got target {y.max()}, expected at most {len(images.labels) - 1}.")


def _fetch_from_openml(home: Path, name: str | int, source: _Source) -> LabelledImages:
    from sklearn.datasets import fetch_openml

    pattern = f"{source.name}*.gz" if "name" in source.query or source.is_known else "*.gz"
    try:
        with _restored_downloads(home / "openml", pattern), warnings.catch_warnings():
            # Each failed attempt warns. The error contains the reason.
            warnings.simplefilter("ignore")
            dataset = fetch_openml(
                **source.query,
                data_home=home,
                as_frame=False,
                parser="pandas",
                read_csv_kwargs=_READ_MNIST if source.is_known else _READ_OTHER,
            )
        about = {key: dataset[key] for key in ("DESCR", "details", "url")}
        if source.is_known:
            # pandas has columns contiguous in memory, training needs rows.
            X = np.ascontiguousarray(dataset.pop("data"))
            images = LabelledImages(X, dataset["target"], DIGITS, about)
            _check_images(images, source)
            return images
    except MemoryError:
        raise
    # fetch_openml raises exceptions of sockets, gzip, JSON, checksums and pandas.
    except Exception as error:
        raise OSError(
            f"Could not load name={name!r}: the data folder {str(home)!r} has neither a valid "
            f"{'skdigits/' + source.name + '.npz'!r} nor a valid download in 'openml', and "
            f"fetching it from openml.org failed with {type(error).__name__}: {error}. Set "
            "data_home or the environment variable SCIKIT_LEARN_DATA to a folder that has it, or "
            "connect to the network for one call. load_mnist_sample needs neither."
        ) from error
    return _converted(dataset.pop("data"), dataset["target"], about, name)


def _converted(data: Any, target: Any, about: dict[str, Any], name: str | int) -> LabelledImages:
    """Images of any size and classes, if the data set consists of images."""
    X = np.asarray(data)
    side = isqrt(X.shape[1])
    is_square = side * side == X.shape[1] and side >= _MIN_SIDE
    is_numeric = X.dtype.kind in "iuf" and len(X) > 0
    if not (is_square and is_numeric) or not _are_grey_values(X):
        kind = f"values from {X.min()} to {X.max()}" if is_numeric else f"dtype {X.dtype}"
        raise ValueError(
            f"Got name={name!r} with {X.shape[1]} features and {kind}, expected square images of "
            f"at least {_MIN_SIDE} × {_MIN_SIDE} pixels with whole grey values from 0 to 255."
        )
    labels = None if target is None else np.asarray(target)
    if labels is None or labels.ndim != 1:
        raise ValueError(
            f"Got name={name!r} without a single target, expected one class per image."
        )
    y, names = encoded(labels)
    return LabelledImages(np.ascontiguousarray(X, np.uint8), y, names, about)


def _are_grey_values(X: Array) -> bool:
    """Whether all values are whole and from 0 to 255."""
    return bool(X.min() >= 0 and X.max() <= 255) and (
        X.dtype.kind != "f" or all(np.array_equal(row, np.floor(row)) for row in X)
    )


@contextmanager
def _restored_downloads(folder: Path, pattern: str) -> Iterator[None]:
    """Restore the downloads that fetch_openml deletes inside the block.

    After any exception while it reads a file, fetch_openml deletes the file and downloads it again.
    Without network an intact file would be lost.
    """
    with ExitStack() as stack:
        # An open file can be read after it was deleted (and on Windows it cannot be deleted).
        kept = {path: stack.enter_context(path.open("rb")) for path in folder.rglob(pattern)}
        try:
            yield
        finally:
            for path, file in kept.items():
                if not path.exists():
                    with suppress(OSError):
                        write_atomically(path, partial(shutil.copyfileobj, file))
