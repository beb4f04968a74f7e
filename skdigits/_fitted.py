"""Fitted attributes, history and summary table of a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import nan
from typing import Any

from sklearn.base import BaseEstimator

from ._network import Array, Network
from ._pixel_range import Scale

# Everything that `fit` and `partial_fit` set.
FITTED_ATTRIBUTES = (
    "_network",
    "_optimizer_state",
    "_pretrained_learning_rate",
    "_training_scale",
    "best_epoch_",
    "classes_",
    "feature_names_in_",
    "history_",
    "loss_curve_",
    "n_features_in_",
    "n_iter_",
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "temperature_",
    "validation_loss_curve_",
    "validation_scores_",
)


@contextmanager
def unchanged_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Restore the fitted attributes of an estimator where an exception ends its fit."""
    state = vars(estimator)
    before = {name: state[name] for name in FITTED_ATTRIBUTES if name in state}
    try:
        yield
    except BaseException:
        for name in FITTED_ATTRIBUTES:
            state.pop(name, None)
        state.update(before)
        raise


def fitted_attributes(
    network: Network,
    classes: Array,
    history: dict[str, list[float]],
    best_epoch: int,
    training_scale: Scale | None = None,
) -> dict[str, Any]:
    """The attributes of a fitted classifier, except those about the features."""
    return {
        "_network": network,
        "_training_scale": training_scale,
        "classes_": classes,
        "history_": history,
        "loss_curve_": history["loss"],
        "validation_loss_curve_": history.get("val_loss"),
        "validation_scores_": history.get("val_accuracy"),
        "n_iter_": len(history["loss"]),
        "best_epoch_": best_epoch,
        "temperature_": network.temperature,
        "n_layers_": len(network.kernels) + 1,
        "n_outputs_": len(classes),
        "out_activation_": "softmax",
    }


def extended_history(
    before: dict[str, list[float]], after: dict[str, list[float]]
) -> dict[str, list[float]]:
    """The history of two runs, one after the other, NaN where one of them has no figures."""
    n_before, n_after = len(before["loss"]), len(after["loss"])
    return {
        name: before.get(name, [nan] * n_before) + after.get(name, [nan] * n_after)
        for name in before | after
    }


def summary_table(network: Network, dropout: tuple[float, ...], l2: tuple[float, ...]) -> str:
    """Layers, widths and numbers of parameters as a text table."""
    scaled = f" × {network.input_scale:.4g}" if network.input_scale != 1.0 else ""
    blur = f", blur {network.blur:.4g}" if network.blur else ""
    rows = [(f"input{scaled}{blur}", network.n_features, 0)]
    n_hidden = len(network.kernels) - 1
    for i, (kernel, bias) in enumerate(zip(network.kernels, network.biases, strict=True)):
        hidden = i < n_hidden
        words = [network.activation if hidden else "softmax"]
        if hidden and l2[i]:
            words.append(f"L2 {l2[i]:g}")
        rows.append((f"dense, {', '.join(words)}", bias.size, kernel.size + bias.size))
        if hidden and network.norms is not None:
            rows.append(("batch normalisation", bias.size, 4 * bias.size))
        if hidden and dropout[i]:
            rows.append((f"dropout {dropout[i]:g}", bias.size, 0))
    total = sum(parameters for *_, parameters in rows)
    width = max(len(name) for name, *_ in rows) + 2
    lines = [f"{'layer':{width}}{'outputs':>9}{'parameters':>14}"]
    lines += [f"{name:{width}}{outputs:>9,}{count:>14,}" for name, outputs, count in rows]
    size = total * network.dtype.itemsize / 1e6
    lines.append(f"{'total':{width}}{'':>9}{total:>14,}   {size:.1f} MB as {network.dtype.name}")
    return "\n".join(lines)
