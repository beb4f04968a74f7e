"""Writes a fitted classifier into one HTML page."""

from __future__ import annotations

import json
import os
import re
import zlib
from base64 import b64encode
from dataclasses import replace
from importlib.resources import files
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._atomic import write_atomically
from .._classifier import DigitANNClassifier
from .._network import Array, Network
from .._packed_network import quantised
from .._pictures.mnist_form import SIDE
from .._transformers.pixel_scaler import PixelScaler

# Nothing but what is in the page is loaded, and nothing is sent.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)

# In the order of their dependencies, since they become one module.
_SCRIPTS = (
    "_demo/static/drawing.js",
    "_export/network.js",
    "_export/mnist_form.js",
    "_export/exported_page.js",
)


def export_html(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted classifier to an HTML page on which digits are drawn and read.

    The page contains everything: weights rounded to 8 bits, the conversion of a drawing to MNIST's
    form, and the forward pass in JavaScript. It needs no server and no network connection, and
    works from a file, on a phone too, in browsers from 2023 on. An existing file is replaced
    atomically.

    Parameters
    ----------
    model : Pipeline or DigitANNClassifier
        Fitted on 784 pixels: a `PixelScaler` followed by a `DigitANNClassifier`, such as
        `load_pretrained` returns, or a `DigitANNClassifier` that was fitted on uint8.
    path : str or path-like
        File to create or replace. Its folder must exist.

    Raises
    ------
    TypeError
        If `model` is another estimator, or has other steps.
    ValueError
        If it was fitted on another number of features, or on floats without a PixelScaler.
    sklearn.exceptions.NotFittedError
        If `model` is not fitted.

    Notes
    -----
    The weights of `load_pretrained` have 8 bits already and stay as they are. Those of other
    networks are rounded, per column, to 255 levels.
    """
    network, classes = _network_of(model)
    page = _page(network, [str(label) for label in classes])
    write_atomically(path, lambda file: file.write(page.encode()))


def _network_of(model: Any) -> tuple[Network, Array]:
    """The network for pixels from 0 to 1, and its classes."""
    steps = [step for _, step in model.steps] if isinstance(model, Pipeline) else [model]
    steps = [step for step in steps if step not in (None, "passthrough")]
    *scalers, classifier = steps
    if not isinstance(classifier, DigitANNClassifier) or [*map(type, scalers)] not in (
        [],
        [PixelScaler],
    ):
        names = ", ".join(type(step).__name__ for step in steps)
        raise TypeError(f"Got {names}, expected PixelScaler and DigitANNClassifier.")
    check_is_fitted(classifier)
    network = classifier._predictor()
    if network.n_features != SIDE * SIDE:
        raise ValueError(
            f"Got a model of {network.n_features} features, expected {SIDE * SIDE} pixels."
        )
    if (network.input_scale == 1.0) != bool(scalers):
        raise ValueError(
            "Got a model fitted on floats without PixelScaler or on uint8 with it, expected pixels "
            "from 0 to 255 that are divided by 255 once."
        )
    return network, classifier.classes_


def _page(network: Network, labels: list[str]) -> str:
    about = {
        "widths": network.widths,
        "activation": network.activation,
        "blur": network.blur,
        "labels": labels,
    }
    scripts = "\n".join(_without_modules(_text(name)) for name in _SCRIPTS)
    page = _text("_demo/static/index.html")
    for old, new in [
        (
            '<link rel="stylesheet" href="page.css">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            f"  <style>\n{_text('_demo/static/page.css')}  </style>",
        ),
        ('  <script type="module" src="page.js"></script>\n', ""),
        (
            "</body>",
            f'<script type="application/json" id="about">{_json(about)}</script>\n'
            f'<script type="text/plain" id="content">{_packed(network)}</script>\n'
            f'<script type="module">\n{scripts}</script>\n</body>',
        ),
    ]:
        assert old in page
        page = page.replace(old, new)
    return page


def _packed(network: Network) -> str:
    """Steps and biases (float32), then levels (int8), deflated, in base64."""
    # The blur is applied to the image, since folded weights would be rounded a second time.
    layers = replace(network, blur=0.0).layers(scaled_input=True)
    floats, levels = [], []
    for kernel, bias in zip(layers[::2], layers[1::2], strict=True):
        rounded, steps = quantised(kernel)
        floats += [steps.astype("<f4"), bias.astype("<f4")]
        levels.append(np.ascontiguousarray(rounded))
    content = b"".join(array.tobytes() for array in (*floats, *levels))
    return b64encode(zlib.compress(content, 9)).decode()


def _json(about: dict[str, Any]) -> str:
    """JSON that cannot end the script element around it."""
    return json.dumps(about).replace("<", "\\u003c")


def _without_modules(script: str) -> str:
    """A module as a part of a larger one."""
    return re.sub(r"^import .*\n|^export ", "", script, flags=re.MULTILINE)


def _text(name: str) -> str:
    return files("skdigits").joinpath(name).read_text("utf-8")
