"""Reads and writes networks with weights of 8 bits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from ._network import Array, Network

# Weights are stored as multiples of a step for each column, from -127 to 127.
LEVELS = 127


def quantised(kernel: Array) -> tuple[Array, Array]:
    """Round a kernel to multiples of a step for each column.

    Returns
    -------
    levels : ndarray of int8 of the kernel's shape
    steps : ndarray of float32 of shape (n_out,)
    """
    steps = (np.abs(kernel).max(axis=0) / LEVELS).astype(np.float32)
    steps[steps == 0] = 1
    return np.rint(kernel / steps).astype(np.int8), steps


def write_network(file: BinaryIO, network: Network, about: dict[str, Any]) -> None:
    """Write a network with normalisation and temperature multiplied into its weights.

    Parameters
    ----------
    file : binary file
    network : Network
    about : dict
        Values for JSON: classes, parameters, history.
    """
    arrays: dict[str, Array] = {}
    layers = replace(network, blur=0.0).layers(scaled_input=True)
    for i, (kernel, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
        arrays[f"levels_{i}"], arrays[f"steps_{i}"] = quantised(kernel)
        arrays[f"bias_{i}"] = bias.astype(np.float32)
    known = {"activation": network.activation, "blur": network.blur, "n_layers": len(layers) // 2}
    header = json.dumps(about | known)
    arrays["about"] = np.frombuffer(header.encode(), np.uint8)
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def read_network(file: Any) -> tuple[Network, dict[str, Any]]:
    """Read a file of `write_network`."""
    with np.load(file, allow_pickle=False) as stored:
        about = json.loads(stored["about"].tobytes())
        numbers = range(about["n_layers"])
        kernels = [stored[f"levels_{i}"] * stored[f"steps_{i}"] for i in numbers]
        biases = [stored[f"bias_{i}"] for i in numbers]
    # Older files have no blur.
    blur = float(about.get("blur", 0.0))
    return Network(tuple(kernels), tuple(biases), about["activation"], blur=blur), about
