"""Checks of the classifier's constructor parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np

from ._activations import ACTIVATIONS
from ._augmentation import NAMED, Augmentation
from ._network import MOST_BLUR

# "auto" epochs: passes over a large training set, steps for a small one, within a limit.
AUTO_EPOCHS, AUTO_STEPS, AUTO_EPOCHS_LIMIT = 15, 1500, 200
# Deformed images need more epochs.
AUTO_EPOCHS_DEFORMED = 20
AUTO_BATCH_SIZE = 128

SCHEDULES = ("constant", "cosine", "one_cycle")
AVERAGING_DECAY = 0.998


@dataclass(frozen=True)
class Settings:
    """Checked constructor parameters, with one value for each layer."""

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    dropout: tuple[float, ...]
    l2: tuple[float, ...]
    batch_norm: bool
    optimizer: Any
    optimizer_params: dict[str, Any]
    learning_rate: float | None
    learning_rate_schedule: str
    batch_size: int
    epochs: int
    label_smoothing: float
    augmentation: Augmentation | None
    averaging: float
    input_blur: float
    early_stopping: bool
    n_iter_no_change: int
    verbose: bool


def _is_flag(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not _is_flag(value)


def _is_finite(value: Any) -> bool:
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not _is_flag(value)


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 1


def _is_flag_or_int(value: Any) -> bool:
    return _is_flag(value) or (_is_integer(value) and value >= 0)


def _is_rate(value: Any) -> bool:
    return _is_number(value) and 0 <= value < 1


def _is_penalty(value: Any) -> bool:
    return _is_number(value) and value >= 0 and _is_finite(value)


def _one_or_several(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:
        if isinstance(value, (tuple, list, np.ndarray)):
            return all(check(v) for v in value)
        return check(value)

    return accepts


def _is_optimizer(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return any(c.__name__ == "Optimizer" for c in getattr(value, "__mro__", type(value).__mro__))


def _is_class_weight(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_penalty(weight) for weight in value.values())
    return value is None or (isinstance(value, str) and value == "balanced")


def _is_random_state(value: Any) -> bool:
    if value is None or isinstance(value, np.random.RandomState):
        return True
    return _is_integer(value) and 0 <= value < 2**32


def _is_averaging(value: Any) -> bool:
    return _is_flag(value) or _is_rate(value)


def _is_augmentation(value: Any) -> bool:
    if type(value) is Augmentation:
        value.check()
        return True
    return value is None or (isinstance(value, str) and value in NAMED)


def _is_keras_callbacks(value: Any) -> bool:
    return value is None or isinstance(value, (list, tuple)) or hasattr(value, "on_epoch_end")


TABLE: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hidden_layer_sizes": (
        _one_or_several(_is_count),
        "a width or a tuple of widths, each an integer of at least 1",
    ),
    "activation": (
        lambda v: isinstance(v, str) and v in ACTIVATIONS,
        f"one of {', '.join(map(repr, ACTIVATIONS))}",
    ),
    "dropout": (_one_or_several(_is_rate), "a number in [0, 1), or one per hidden layer"),
    "l2": (_one_or_several(_is_penalty), "a number of at least 0, or one per hidden layer"),
    "batch_norm": (_is_flag, "True or False"),
    "optimizer": (_is_optimizer, "the name, the class or an instance of a Keras optimizer"),
    "optimizer_params": (
        lambda v: v is None or (isinstance(v, Mapping) and all(isinstance(k, str) for k in v)),
        "None or a dict of options of the Keras optimizer",
    ),
    "learning_rate": (
        lambda v: v is None or (_is_number(v) and 0 < v < np.inf),
        "a number above 0, or None for the default of the optimizer",
    ),
    "learning_rate_schedule": (
        lambda v: isinstance(v, str) and v in SCHEDULES,
        f"one of {', '.join(map(repr, SCHEDULES))}",
    ),
    "batch_size": (
        lambda v: (isinstance(v, str) and v == "auto") or _is_count(v),
        "'auto' or an integer of at least 1",
    ),
    "epochs": (
        lambda v: (isinstance(v, str) and v == "auto") or _is_count(v),
        "'auto' or an integer of at least 1",
    ),
    "label_smoothing": (_is_rate, "a number in [0, 1)"),
    "augmentation": (
        _is_augmentation,
        f"None, {', '.join(map(repr, NAMED))} or a skdigits.Augmentation",
    ),
    "weight_averaging": (_is_averaging, "True, False or a decay in [0, 1)"),
    "input_blur": (
        lambda v: _is_number(v) and 0 <= v <= MOST_BLUR,
        f"a number in [0, {MOST_BLUR}]",
    ),
    "early_stopping": (_is_flag, "True or False"),
    "validation_fraction": (lambda v: _is_number(v) and 0 < v < 1, "a number in (0, 1)"),
    "n_iter_no_change": (_is_count, "an integer of at least 1"),
    "class_weight": (
        _is_class_weight,
        "None, 'balanced' or a dict from label to a weight of at least 0",
    ),
    "warm_start": (_is_flag, "True or False"),
    "keras_callbacks": (_is_keras_callbacks, "None or a list of Keras callbacks"),
    "random_state": (
        _is_random_state,
        "None, an integer in [0, 2**32) or a numpy.random.RandomState",
    ),
    "verbose": (_is_flag_or_int, "True, False or an integer of at least 0"),
}
"""Check of each parameter, and the expected values in words."""


def check_parameters(params: Mapping[str, Any]) -> None:
    """Check each parameter.

    Raises
    ------
    ValueError
        Names the parameter, what was received and what was expected.
    """
    for name in TABLE:
        check_parameter(name, params[name])
    if "learning_rate" in (params["optimizer_params"] or {}):
        raise ValueError(
            f"Got optimizer_params={params['optimizer_params']!r}, expected the learning rate in "
            "the parameter learning_rate."
        )


def check_parameter(name: str, value: Any) -> None:
    """Check one parameter, see `check_parameters`."""
    accepts, expected = TABLE[name]
    if not accepts(value):
        raise ValueError(f"Got {name}={value!r}, expected {expected}.")


def drawn_seed(random_state: Any) -> int:
    """The seed of one fit from `random_state`; a RandomState instance is advanced."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(random_state)


def per_layer(name: str, value: Any, n_layers: int) -> tuple[float, ...]:
    """One number for each hidden layer."""
    if not isinstance(value, (tuple, list, np.ndarray)):
        return (float(value),) * n_layers
    if len(value) != n_layers:
        raise ValueError(
            f"Got {name}={value!r} with {len(value)} entries, expected one number or one for "
            f"each of the {n_layers} hidden layers."
        )
    return tuple(float(v) for v in value)


def one_if_equal(values: tuple[float, ...]) -> float | tuple[float, ...]:
    """The inverse of `per_layer`: one number where all layers have the same."""
    if not values:
        return 0.0
    return values[0] if len(set(values)) == 1 else values


def _epochs_for(epochs: Any, batch_size: int, n_rows: int, n_hidden: int, deformed: bool) -> int:
    if epochs != "auto":
        return int(epochs)
    wanted = -(-AUTO_STEPS // -(-n_rows // batch_size))
    # A single layer needs more steps, each of which takes little time.
    limit = AUTO_EPOCHS_LIMIT if n_hidden else AUTO_STEPS
    return min(max(AUTO_EPOCHS_DEFORMED if deformed else AUTO_EPOCHS, wanted), limit)


def settings_from(params: Mapping[str, Any], n_rows: int) -> Settings:
    """Settings of a training set of `n_rows` rows, from checked parameters."""
    sizes = params["hidden_layer_sizes"]
    sizes = (sizes,) if isinstance(sizes, Integral) else sizes
    averaging = params["weight_averaging"]
    if _is_flag(averaging):
        averaging = AVERAGING_DECAY if averaging else 0.0
    augmentation = params["augmentation"]
    if augmentation is not None:
        augmentation = NAMED.get(augmentation, augmentation).as_floats()
    batch_size = params["batch_size"]
    batch_size = AUTO_BATCH_SIZE if batch_size == "auto" else int(batch_size)
    rate = params["learning_rate"]
    return Settings(
        hidden_layer_sizes=tuple(int(size) for size in sizes),
        activation=params["activation"],
        dropout=per_layer("dropout", params["dropout"], len(sizes)),
        l2=per_layer("l2", params["l2"], len(sizes)),
        batch_norm=bool(params["batch_norm"]),
        optimizer=params["optimizer"],
        optimizer_params=dict(params["optimizer_params"] or {}),
        learning_rate=None if rate is None else float(rate),
        learning_rate_schedule=params["learning_rate_schedule"],
        batch_size=batch_size,
        epochs=_epochs_for(
            params["epochs"], batch_size, n_rows, len(sizes), augmentation is not None
        ),
        label_smoothing=float(params["label_smoothing"]),
        augmentation=augmentation,
        averaging=float(averaging),
        input_blur=float(params["input_blur"]),
        early_stopping=bool(params["early_stopping"]),
        n_iter_no_change=int(params["n_iter_no_change"]),
        verbose=bool(params["verbose"]),
    )
