"""Fitted attributes, history and summary table of a classifier."""

from __future__ import annotations

from math import nan
from typing import Any

from ._network import Array, Network


def fitted_attributes(
    network: Network, classes: Array, history: dict[str, list[float]], best_epoch: int
) -> dict[str, Any]:
    """Everything that makes a classifier a fitted one."""
    return {
        "_network": network,
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
    """Two runs' figures one after the other, NaN where one of them has none."""
    n_before, n_after = len(before["loss"]), len(after["loss"])
    return {
        name: before.get(name, [nan] * n_before) + after.get(name, [nan] * n_after)
        for name in before | after
    }


def summary_table(network: Network, dropout: tuple[float, ...], l2: tuple[float, ...]) -> str:
    """Layers, widths and numbers of parameters as text."""
    scaled = f" × {network.input_scale:.4g}" if network.input_scale != 1.0 else ""
    smooth = f", blur {network.blur:.4g}" if network.blur else ""
    rows = [(f"input{scaled}{smooth}", network.n_features, 0)]
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
