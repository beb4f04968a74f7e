"""Presets of networks and their training."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ._augmentation import Augmentation
from ._classifier import DigitANNClassifier

__all__ = [
    "PRESETS",
    "RECIPES",
    "REFERENCES",
    "Preset",
    "make_reference_classifier",
    "param_grid",
]


@dataclass(frozen=True)
class Preset:
    """A network and its training.

    Parameters
    ----------
    params : mapping of str to object
        Parameters of `DigitANNClassifier`; all others keep their defaults.
    source : str
        Source of the network and the training, and the values chosen here where it has none.
    published_accuracy : float or None
        Accuracy on MNIST's test set according to the source, None where it has none.
    """

    params: MappingProxyType[str, Any]
    source: str
    published_accuracy: float | None = None


# The sources train with Keras' default Adam, at a constant rate.
_PLAIN = {
    "learning_rate": 0.001,
    "learning_rate_schedule": "constant",
    "batch_size": 128,
    "label_smoothing": 0.0,
}


def _preset(source: str, published: float | None, **params: Any) -> Preset:
    return Preset(MappingProxyType(_PLAIN | params), source, published)


REFERENCES: MappingProxyType[str, Preset] = MappingProxyType(
    {
        "dense-128-64": _preset(
            "A published project: 784-128-64-10, ReLU, softmax, Adam, cross-entropy. Epochs and "
            "batch size chosen here.",
            0.9737,
            hidden_layer_sizes=(128, 64),
            epochs=20,
        ),
        "regularized-128-64-32": _preset(
            "A published project: 784-128 (L2 0.001)-64-dropout 0.3-32-dropout 0.2-10, ReLU, "
            "softmax, Adam, early stopping. Patience, epochs and batch size chosen here.",
            0.9728,
            hidden_layer_sizes=(128, 64, 32),
            l2=(0.001, 0.0, 0.0),
            dropout=(0.0, 0.3, 0.2),
            early_stopping=True,
            n_iter_no_change=10,
            epochs=60,
        ),
        "two-hidden": _preset(
            "A published project whose readers try their own digit images: two hidden ReLU "
            "layers, softmax, Adam, cross-entropy; accuracy given as high. Widths, epochs and "
            "batch size chosen here.",
            None,
            hidden_layer_sizes=(256, 128),
            epochs=20,
        ),
        "relu-softmax": _preset(
            "A published notebook: ReLU hidden layers, softmax, Adam, categorical cross-entropy, "
            "mini-batches, epochs tuned against overfitting; accuracy given as about 97 %. "
            "Widths, epochs and batch size chosen here.",
            0.97,
            hidden_layer_sizes=(128, 128),
            epochs=20,
        ),
        "basic-one-hot": _preset(
            "A published script: 28 × 28 images flattened, several dense layers, softmax, pixels "
            "scaled to 0-1, one-hot targets, a few epochs; no accuracy given. Widths, epochs and "
            "batch size chosen here.",
            None,
            hidden_layer_sizes=(128, 64, 32),
            epochs=8,
        ),
    }
)
"""Published networks that this package reproduces, by name."""


def _recipe(source: str, **params: Any) -> Preset:
    return Preset(
        MappingProxyType(params), f"{source} Chosen by examples/benchmarks/choose_recipes.py."
    )


_LONG = {
    "batch_size": 256,
    "optimizer": "adamw",
    "optimizer_params": {"weight_decay": 0.01},
    "learning_rate": 0.0015,
    "learning_rate_schedule": "cosine",
    "label_smoothing": 0.05,
    "augmentation": "elastic",
    "weight_averaging": True,
    "batch_norm": True,
}

RECIPES: MappingProxyType[str, Preset] = MappingProxyType(
    {
        "fast": _recipe(
            "Deformed digits for half a minute on two cores.",
            hidden_layer_sizes=(512, 256),
            batch_size=256,
            learning_rate=0.004,
            label_smoothing=0.05,
            augmentation="elastic",
        ),
        "accurate": _recipe(
            "Deformed digits for ten minutes on two cores.",
            hidden_layer_sizes=(1024, 1024, 512),
            epochs=100,
            **_LONG,
        ),
        "record": _recipe(
            "Deformed digits for three quarters of an hour on two cores.",
            hidden_layer_sizes=(2048, 1024, 512),
            activation="silu",
            epochs=250,
            **_LONG,
        ),
        "fashion": _recipe(
            "Fashion-MNIST: clothes fill the image and allow weak deformation only.",
            hidden_layer_sizes=(1024, 512),
            epochs=60,
            batch_size=256,
            batch_norm=True,
            dropout=0.3,
            label_smoothing=0.1,
            augmentation=Augmentation(rotation=2, scale=0.03, shear=0.02, shift=0.02, elastic=0.01),
            weight_averaging=True,
        ),
    }
)
"""Recipes of this package by name, each for a different training time."""

PRESETS: MappingProxyType[str, Preset] = MappingProxyType({**REFERENCES, **RECIPES})
"""All presets of `make_reference_classifier`, by name."""


def make_reference_classifier(name: str, **overrides: Any) -> DigitANNClassifier:
    """Make an unfitted classifier with the parameters of a preset.

    Fit it on pixels scaled to 0–1, or on raw pixels of dtype uint8.

    Parameters
    ----------
    name : str
        A key of `REFERENCES` or `RECIPES`.
    **overrides : dict
        Parameters of `DigitANNClassifier` that replace those of the preset.

    Returns
    -------
    DigitANNClassifier

    Raises
    ------
    ValueError
        If there is no such preset or parameter.

    Examples
    --------
    >>> from skdigits import make_reference_classifier
    >>> make_reference_classifier("dense-128-64", epochs=3).hidden_layer_sizes
    (128, 64)
    """
    if name not in PRESETS:
        raise ValueError(f"Got name={name!r}, expected one of {', '.join(map(repr, PRESETS))}.")
    return DigitANNClassifier(**PRESETS[name].params).set_params(**overrides)


def param_grid(name: str, *, step: str | None = None) -> dict[str, list[Any]]:
    """Make a grid of parameters for a search.

    Parameters
    ----------
    name : {"small", "medium"}
        "small" has 8 candidates, "medium" has 36.
    step : str, default=None
        Name of the classifier's step in a pipeline, which becomes the prefix of each parameter.

    Returns
    -------
    dict of str to list
        A new `param_grid` for scikit-learn's searches.

    Raises
    ------
    ValueError
        If there is no such grid.

    Examples
    --------
    >>> from skdigits.presets import param_grid
    >>> param_grid("small", step="ann")["ann__dropout"]
    [0.0, 0.2]
    """
    grids: dict[str, dict[str, list[Any]]] = {
        "small": {
            "hidden_layer_sizes": [(128, 64), (512, 256)],
            "dropout": [0.0, 0.2],
            "learning_rate": [0.001, 0.003],
        },
        "medium": {
            "hidden_layer_sizes": [(128, 64), (256, 128), (512, 256)],
            "dropout": [0.0, 0.2, 0.4],
            "learning_rate": [0.001, 0.003],
            "label_smoothing": [0.0, 0.05],
        },
    }
    if name not in grids:
        raise ValueError(f"Got name={name!r}, expected one of {', '.join(map(repr, grids))}.")
    prefix = "" if step is None else f"{step}__"
    return {prefix + parameter: values for parameter, values in grids[name].items()}
