"""MNIST and similar data sets of OpenML, and the sample of MNIST inside the package."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from ._labelled_images import LabelledImages
from ._openml import DIGITS, N_TEST, N_TRAIN, cached_images

_SUBSETS = ("all", "train", "test")
_N_SAMPLE_TRAIN = 5_000


def fetch_mnist(
    *,
    subset: str = "all",
    return_X_y: bool = False,
    as_frame: bool = False,
    data_home: str | os.PathLike[str] | None = None,
    name: str | int = "mnist_784",
) -> Any:
    """Load MNIST or a similar data set of OpenML.

    The first call uses :func:`sklearn.datasets.fetch_openml`, which downloads about 15 MB for MNIST
    unless its cache contains them. It then stores the pixels as uint8, 55 MB for MNIST, in the
    folder ``skdigits`` next to that cache. Later calls read this file in a fraction of a second. A
    damaged file is replaced. If the file cannot be written, the call succeeds without it.

    Parameters
    ----------
    subset : {"all", "train", "test"}, default="all"
        The first 60,000 rows are the official training set, the last 10,000 the test set. A data
        set that has not 70,000 rows can only be loaded whole.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return the data as a pandas DataFrame and the target as a categorical Series.
    data_home : str or path-like, default=None
        scikit-learn's data folder. None is the environment variable ``SCIKIT_LEARN_DATA`` or, if
        it is not set, ``~/scikit_learn_data``.
    name : str or int, default="mnist_784"
        Name or id of the data set on OpenML. "mnist_784" (554) is MNIST, "Fashion-MNIST" (40996)
        has images of clothes in the same format and is harder [2]_. Others, such as
        "Kuzushiji-MNIST", need square images of at least 8 × 8 pixels with whole grey values from
        0 to 255, and a target. Of several data sets with the same name ``fetch_openml`` takes the
        oldest active version; an id is unambiguous.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        With the fields of ``fetch_openml``, and `images`. Shapes are those of MNIST.

        data : ndarray of uint8, shape (n, 784), or DataFrame
            Grey values 0 to 255, white on black, row by row from the top left.
        target : ndarray of str objects, shape (n,), or Series
            The classes, "0" to "9".
        images : ndarray of uint8, shape (n, 28, 28)
            The same memory as `data`; only if `as_frame` is False.
        frame : DataFrame or None
            `data` and `target` together; None if `as_frame` is False.
        feature_names, target_names : list of str
            "pixel1" to "pixel784", and ["class"].
        categories : dict or None
            The values of "class"; None if `as_frame` is True.
        DESCR, details, url : str, dict, str
            OpenML's description of the data.
    (data, target) : tuple
        If `return_X_y` is True.

    Raises
    ------
    ValueError
        If `subset` or `name` is invalid, the data set does not consist of images, or it has no
        known test set and `subset` is not "all".
    OSError
        If the data are not in the data folder and could not be downloaded. The cause is the
        exception of ``fetch_openml``.

    See Also
    --------
    load_mnist_sample : 6,000 digits of MNIST without a download.
    load_digit_folder : Your own pictures.

    Notes
    -----
    MNIST was created by Yann LeCun, Corinna Cortes and Christopher J. C. Burges from data of
    NIST [1]_. Its licence is Creative Commons Attribution-ShareAlike 3.0.

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
    _check_subset(subset)
    from sklearn.datasets import get_data_home

    images = cached_images(Path(get_data_home(data_home)), name)
    n_rows = len(images.y)
    if subset != "all" and n_rows != N_TRAIN + N_TEST:
        raise ValueError(
            f"Got subset={subset!r} with name={name!r}, expected subset='all': no training and "
            f"test set are known for its {n_rows:,} rows."
        )
    return _subset(images, subset, N_TRAIN).as_bunch(return_X_y=return_X_y, as_frame=as_frame)


def load_mnist_sample(subset: str = "all", *, return_X_y: bool = False) -> Any:
    """Load 6,000 digits of MNIST that are part of the package.

    5,000 digits are a stratified random sample of MNIST's training set, 1,000 of its test set. The
    result has the format of :func:`fetch_mnist`.

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
        If `subset` is invalid.

    See Also
    --------
    fetch_mnist : All 70,000 digits.

    Notes
    -----
    MNIST was created by Yann LeCun, Corinna Cortes and Christopher J. C. Burges from data of
    NIST [1]_. The sample has the licence of MNIST, Creative Commons Attribution-ShareAlike 3.0.

    The sample is meant for examples and tests. An accuracy of 93 % on 1,000 test digits has a
    standard error of 0.8 points, and these digits are harder than average: the nearest neighbour
    among the 5,000 training digits has the right label for 91.4 % of them and for 93.5 % of all
    10,000 test digits.

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
    _check_subset(subset)
    folder = resources.files("skdigits") / "data"
    about = {"DESCR": (folder / "README.md").read_text(encoding="utf-8")}
    with (folder / "mnist_sample.npz").open("rb") as file, np.load(file) as archive:
        images = LabelledImages(archive["X"], archive["y"], list(DIGITS), about)
    return _subset(images, subset, _N_SAMPLE_TRAIN).as_bunch(return_X_y=return_X_y)


def _check_subset(subset: object) -> None:
    if not isinstance(subset, str) or subset not in _SUBSETS:
        raise ValueError(
            f"Got subset={subset!r}, expected one of {', '.join(map(repr, _SUBSETS))}."
        )


def _subset(images: LabelledImages, subset: str, n_train: int) -> LabelledImages:
    if subset == "train":
        return images.rows(slice(n_train))
    if subset == "test":
        # A view would keep the training images in memory.
        return images.rows(slice(n_train, None), copy=True)
    return images
