"""A safetensors file: numeric arrays and one text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

# safetensors writes several keys in changing order, so that equal content would differ in bytes.
KEY = "skdigits"

# Bytes of names, shapes and text: Python objects need up to 60 times the size of their JSON.
MAX_HEADER = 2**19


def packed(arrays: Mapping[str, np.ndarray], text: str) -> bytes:
    """The content of a file with boolean, integer or floating-point arrays of any layout."""
    from safetensors.numpy import save

    # save takes any memory for that of an array in C order.
    native = {
        name: np.ascontiguousarray(a, a.dtype.newbyteorder("=")).reshape(a.shape)
        for name, a in arrays.items()
    }
    content = save(native, {KEY: text})
    _header(content)
    return content


def unpacked(content: bytes) -> tuple[dict[str, np.ndarray], str]:
    """Arrays and text of a file, copied; a ValueError or SafetensorError if it is not valid."""
    from safetensors.numpy import load

    # safetensors checks offsets, shapes and sizes, but not that all keys differ.
    header = json.loads(_header(content), object_pairs_hook=unique)
    if not isinstance(header, dict) or set(header.get("__metadata__", ())) != {KEY}:
        raise ValueError(f"Got other metadata than {KEY!r}, expected this key alone.")
    return load(content), header["__metadata__"][KEY]


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, refused if a key occurs twice."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("Got a JSON object with equal keys, expected different ones.")
    return dict(pairs)


def _header(content: bytes) -> bytes:
    size = int.from_bytes(content[:8], "little")
    if size > len(content) - 8:
        raise ValueError(f"Got {len(content)} bytes, expected a complete safetensors file.")
    if size > MAX_HEADER:
        raise ValueError(
            f"Got {size} bytes of names, parameters and labels, expected at most {MAX_HEADER}."
        )
    return content[8 : 8 + size]
