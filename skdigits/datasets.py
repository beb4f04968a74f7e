"""MNIST in its official order, whole from OpenML or as a sample inside the package."""

from __future__ import annotations

import json
import os
import shutil
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from zipfile import ZipFile

import numpy as np

from ._atomic import write_atomically

__all__ = ["fetch_mnist", "load_mnist_sample"]

Array = np.ndarray[Any, Any]

_SUBSETS = ("all", "train", "test")
_OPENML_QUERIES: dict[str, dict[str, Any]] = {
    "mnist_784": {"name": "mnist_784", "version": 1},
    "Fashion-MNIST": {"data_id": 40996},
}
_N_ROWS, _N_TRAIN = 70_000, 60_000
_N_SAMPLE_TRAIN = 5_000
_SIDE = 28
_N_PIXELS = _SIDE * _SIDE
_LABELS = list("0123456789")
_TARGET_NAME = "class"

# fetch_openml's pandas parser reads 8-byte integers unless told otherwise. The quote character
# lets classes be numbers in either spelling, '5' or 5; left to itself the parser stumbles over
# the bare one (scikit-learn 1.9.1 with pandas 3.1).
_READ_CSV_KWARGS = {"dtype": "uint8", "quotechar": "'"}

# warnings.catch_warnings in two threads at a time can leave the filters changed for good.
_FETCH_LOCK = threading.Lock()


class _Digits(NamedTuple):
    """Images, their classes as numbers, what OpenML says about them."""

    X: Array
    y: Array
    about: dict[str, Any]


def fetch_mnist(
    *,
    subset: str = "all",
    return_X_y: bool = False,
    as_frame: bool = False,
    data_home: str | os.PathLike[str] | None = None,
    name: str = "mnist_784",
) -> Any:
    """Load the 70,000 images of MNIST or Fashion-MNIST, from OpenML the first time.

    The first call goes through :func:`sklearn.datasets.fetch_openml`, which downloads about
    15 MB (more for Fashion-MNIST) unless its own cache holds them, then keeps the pixels as 55 MB
    of bytes in the folder ``skdigits`` beside that cache. Later calls read this file in a fraction
    of a second. A file that was damaged is noticed and made anew; where none can be written the
    call still succeeds.

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        The official parts: the first 60,000 rows are "train", the last 10,000 "test".
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Give the data as a pandas DataFrame and the target as a categorical Series.
    data_home : str or path-like, default=None
        scikit-learn's data folder. None stands for the environment variable
        ``SCIKIT_LEARN_DATA`` or else ``~/scikit_learn_data``, as everywhere in scikit-learn.
    name : {"mnist_784", "Fashion-MNIST"}, default="mnist_784"
        Which of the two, under its name on OpenML. Fashion-MNIST has pictures of clothes in the
        same form; it is harder [2]_.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        With the fields that ``fetch_openml`` gives, and `images`.

        data : ndarray of uint8, shape (n, 784), or DataFrame
            Grey values 0 to 255, white on black, row by row from the top left.
        target : ndarray of str objects, shape (n,), or Series
            The classes "0" to "9".
        images : ndarray of uint8, shape (n, 28, 28)
            The same memory as `data`; only if `as_frame` is False.
        frame : DataFrame or None
            `data` and `target` together; None if `as_frame` is False.
        feature_names, target_names : list of str
            "pixel1" to "pixel784", and "class".
        categories : dict or None
            The possible values of "class"; None if `as_frame` is True.
        DESCR, details, url : str, dict, str
            What OpenML says about the data.
    (data, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    ValueError
        If `subset` or `name` is not one of those above.
    OSError
        If the data are neither in the data folder nor to be had from OpenML. The exception that
        ``fetch_openml`` raised is its cause.

    See Also
    --------
    load_mnist_sample : 6,000 of these digits without any download.

    Notes
    -----
    MNIST was made by Yann LeCun, Corinna Cortes and Christopher J. C. Burges out of data of
    NIST [1]_; it may be used under the Creative Commons Attribution-ShareAlike 3.0 licence.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86(11), 2278-2324, 1998.
    .. [2] H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
       machine learning algorithms", arXiv:1708.07747, 2017.

    Examples
    --------
    >>> from skdigits.datasets import fetch_mnist
    >>> X, y = fetch_mnist(subset="train", return_X_y=True)  # doctest: +SKIP
    >>> X.shape, X.dtype, y[:5].tolist()  # doctest: +SKIP
    ((60000, 784), dtype('uint8'), ['5', '0', '4', '1', '9'])
    """
    _check_choice("subset", subset, _SUBSETS)
    _check_choice("name", name, tuple(_OPENML_QUERIES))
    from sklearn.datasets import get_data_home

    home = Path(get_data_home(data_home))
    digits = _subset(_cached_digits(home, name), subset, _N_TRAIN)
    return _presented(digits, return_X_y=return_X_y, as_frame=as_frame)


def load_mnist_sample(subset: str = "all", *, return_X_y: bool = False) -> Any:
    """Load 6,000 digits of MNIST from inside the package, without network or data folder.

    5,000 were drawn from MNIST's training set and 1,000 from its test set, each class in
    proportion to its share there. X and y have the form that :func:`fetch_mnist` gives.

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        "train" is the first 5,000 rows, "test" the last 1,000.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        data : ndarray of uint8, shape (n, 784)
            Grey values 0 to 255, white on black, row by row from the top left.
        target : ndarray of str objects, shape (n,)
            The digits "0" to "9".
        images : ndarray of uint8, shape (n, 28, 28)
            The same memory as `data`.
        frame, feature_names, target_names, categories, DESCR
            As in :func:`fetch_mnist`.
    (data, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    ValueError
        If `subset` is not one of those above.

    See Also
    --------
    fetch_mnist : All 70,000.

    Notes
    -----
    MNIST was made by Yann LeCun, Corinna Cortes and Christopher J. C. Burges out of data of
    NIST [1]_. The sample is passed on under MNIST's licence, Creative Commons
    Attribution-ShareAlike 3.0.

    The sample is for trying things out. 1,000 test digits leave a standard error of 0.8 points at
    an accuracy of 93 %, and these happen to be hard ones: the nearest neighbour among the 5,000
    training digits is right for 91.4 % of them and for 93.5 % of all 10,000.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to
       document recognition", Proceedings of the IEEE 86(11), 2278-2324, 1998.

    Examples
    --------
    >>> from skdigits.datasets import load_mnist_sample
    >>> X, y = load_mnist_sample("train", return_X_y=True)
    >>> X.shape, X.dtype, y.shape
    ((5000, 784), dtype('uint8'), (5000,))
    >>> digits = load_mnist_sample("test")
    >>> digits.images.shape, sorted(set(digits.target))
    ((1000, 28, 28), ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    """
    _check_choice("subset", subset, _SUBSETS)
    folder = resources.files("skdigits") / "data"
    about = {"DESCR": (folder / "README.md").read_text(encoding="utf-8")}
    with (folder / "mnist_sample.npz").open("rb") as file, np.load(file) as archive:
        digits = _Digits(archive["X"], archive["y"], about)
    return _presented(_subset(digits, subset, _N_SAMPLE_TRAIN), return_X_y=return_X_y)


def _check_choice(parameter: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"Got {parameter}={value!r}, expected one of {', '.join(map(repr, choices))}."
        )


def _cached_digits(home: Path, name: str) -> _Digits:
    path = home / "skdigits" / f"{name}.npz"
    digits = _read_cache(path)
    if digits is None:
        with _FETCH_LOCK:
            digits = _fetch_from_openml(home, name)
        # A folder that cannot be written costs time at the next call, nothing else.
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, partial(_write_cache, digits=digits))
    return digits


def _read_cache(path: Path) -> _Digits | None:
    """Return what :func:`_write_cache` wrote, or None where that is missing or damaged."""
    try:
        with ZipFile(path) as archive:
            X, y, about = (_read_member(archive, name) for name in ("X", "y", "about"))
        digits = _Digits(X, y, json.loads(about.tobytes()))
        _check_digits(digits)
    except MemoryError:
        raise
    # A damaged archive shows itself in many ways: a checksum of zipfile's, a header of NumPy's
    # that is no longer Python, a flag for encryption.
    except Exception:
        return None
    return digits


def _read_member(archive: ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
        # zipfile compares checksums at the member's end, and a header that tells the wrong
        # length makes NumPy stop before it.
        member.read()
    return array


def _write_cache(file: BinaryIO, digits: _Digits) -> None:
    about = np.frombuffer(json.dumps(digits.about).encode(), dtype=np.uint8)
    # Not compressed: reading is eight times as fast, and zip has a checksum either way.
    np.savez(file, X=digits.X, y=digits.y, about=about)


def _check_digits(digits: _Digits) -> None:
    X, y, _ = digits
    if X.shape != (_N_ROWS, _N_PIXELS) or y.shape != (_N_ROWS,):
        raise ValueError(
            f"Got images of shape {X.shape} and targets of shape {y.shape}, "
            f"expected {(_N_ROWS, _N_PIXELS)} and {(_N_ROWS,)}."
        )
    if X.dtype != np.uint8 or y.dtype != np.uint8 or y.max() >= len(_LABELS):
        raise ValueError(
            f"Got images of {X.dtype} and targets of {y.dtype} up to {y.max()}, "
            f"expected uint8 and targets up to {len(_LABELS) - 1}."
        )


def _fetch_from_openml(home: Path, name: str) -> _Digits:
    from sklearn.datasets import fetch_openml

    try:
        with _restored_downloads(home / "openml", name), warnings.catch_warnings():
            # Each failed attempt warns; the error at the end says it once.
            warnings.simplefilter("ignore")
            dataset = fetch_openml(
                **_OPENML_QUERIES[name],
                data_home=home,
                as_frame=False,
                parser="pandas",
                read_csv_kwargs=_READ_CSV_KWARGS,
            )
        # pandas gives column by column in memory, everything after wants rows.
        X = np.ascontiguousarray(dataset.pop("data"))
        about = {key: dataset[key] for key in ("DESCR", "details", "url")}
        digits = _Digits(X, dataset["target"], about)
        _check_digits(digits)
    except MemoryError:
        raise
    # fetch_openml lets through what sockets, gzip, JSON, its checksum or pandas raised.
    except Exception as error:
        raise OSError(
            f"Could not get name={name!r}: the data folder {str(home)!r} holds neither a usable "
            f"{'skdigits/' + name + '.npz'!r} nor a usable download in 'openml', and fetching it "
            f"from openml.org failed with {type(error).__name__}: {error}. Set data_home or the "
            "environment variable SCIKIT_LEARN_DATA to a folder that has it, or connect to the "
            "network for one call. load_mnist_sample needs neither."
        ) from error
    return digits


@contextmanager
def _restored_downloads(folder: Path, name: str) -> Iterator[None]:
    """Put back the downloads that fetch_openml deletes inside the block.

    It takes any exception while it reads a file for a sign of damage, deletes the file and
    downloads it again, which loses a sound file wherever there is no network.
    """
    with ExitStack() as stack:
        # An open file can be read after it was deleted (and on Windows it cannot be deleted).
        kept = {path: stack.enter_context(path.open("rb")) for path in folder.rglob(f"{name}*.gz")}
        try:
            yield
        finally:
            for path, file in kept.items():
                if not path.exists():
                    with suppress(OSError):
                        write_atomically(path, partial(shutil.copyfileobj, file))


def _subset(digits: _Digits, subset: str, n_train: int) -> _Digits:
    X, y, about = digits
    if subset == "train":
        return _Digits(X[:n_train], y[:n_train], about)
    if subset == "test":
        # A view would keep the training images in memory too.
        return _Digits(X[n_train:].copy(), y[n_train:], about)
    return digits


def _presented(digits: _Digits, *, return_X_y: bool, as_frame: bool = False) -> Any:
    """Dress arrays as scikit-learn's own loaders do."""
    feature_names = [f"pixel{i}" for i in range(1, _N_PIXELS + 1)]
    data: Any = digits.X
    target: Any = np.array(_LABELS, dtype=object)[digits.y]
    fields: dict[str, Any] = {"images": digits.X.reshape(-1, _SIDE, _SIDE), "frame": None}
    fields["categories"] = {_TARGET_NAME: list(_LABELS)}
    if as_frame:
        import pandas as pd

        classes = pd.Categorical.from_codes(digits.y.astype(np.int8), pd.Index(_LABELS))
        data = pd.DataFrame(digits.X, columns=feature_names, copy=False)
        target = pd.Series(classes, name=_TARGET_NAME)
        fields = {"frame": data.assign(**{_TARGET_NAME: target}), "categories": None}
    if return_X_y:
        return data, target

    from sklearn.utils import Bunch

    return Bunch(
        data=data,
        target=target,
        feature_names=feature_names,
        target_names=[_TARGET_NAME],
        **fields,
        **digits.about,
    )
