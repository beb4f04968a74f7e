"""The archive that a saved model is: a skops file plus our own metadata.

skops decides which types a file may hold. What is checked here, before skops reads anything, is
that reading needs no more time or memory than the file's size explains.
"""

from __future__ import annotations

import io
import json
import re
from math import prod
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import sklearn

from .._version import __version__

FORMAT = 1
METADATA = "skdigits.json"
SCHEMA = "schema.json"
MEMBER = re.compile(r"[0-9]+\.npy|skdigits\.json|schema\.json")

# Kinds of nodes of a skops file. Of those that skops would take by itself, sparse matrices are
# missing: they are archives within the archive, and SciPy doesn't check their indices.
LOADERS = frozenset(
    {
        "DictNode",
        "FunctionNode",
        "JsonNode",
        "ListNode",
        "NdArrayNode",
        "ObjectNode",
        "RandomStateNode",
        "SetNode",
        "SliceNode",
        "TupleNode",
        "TypeNode",
    }
)


def pack(model: Any) -> bytes:
    """The content of a file that holds a model."""
    import skops.io

    buffer = io.BytesIO()
    skops.io.dump(model, buffer)
    metadata = {
        "format": FORMAT,
        "skdigits": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "skops": skops.__version__,
    }
    with ZipFile(buffer, "a") as archive:
        archive.writestr(METADATA, json.dumps(metadata))
    return buffer.getvalue()


def check_archive(content: bytes) -> None:
    """Check all that must hold before skops may read a file.

    Raises
    ------
    Exception
        Any, where something does not hold; a ValueError where it was looked for.
    """
    with ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        unknown = sorted({name for name in names if not MEMBER.fullmatch(name)})
        if unknown or len(set(names)) != len(names):
            raise ValueError(
                f"Got members named {unknown or names}, expected each once and no others than "
                f"{SCHEMA}, {METADATA} and numbered arrays."
            )
        stored = all(m.compress_type == ZIP_STORED for m in members)
        claimed = sum(member.file_size for member in members)
        if not stored or claimed > len(content):
            raise ValueError(
                f"Got {'' if stored else 'compressed '}members of {claimed} bytes in a file of "
                f"{len(content)}, expected them uncompressed and within it."
            )
        if not {SCHEMA, METADATA} <= set(names):
            raise ValueError(f"Got no {METADATA} and {SCHEMA}, expected both.")
        _check_metadata(json.loads(archive.read(METADATA)))
        arrays = {n: _array_dtype(n, archive.read(n)) for n in names if n.endswith(".npy")}
        schema = json.loads(archive.read(SCHEMA))
        _check_protocol(schema["protocol"])
        _count_nodes(schema, arrays, {})


def _check_metadata(metadata: dict[str, Any]) -> None:
    found = metadata["format"]
    if type(found) is not int or found < 1:
        raise ValueError(f"Got format={found!r}, expected {FORMAT}.")
    if found > FORMAT:
        raise ValueError(
            f"Got format={found} of skdigits {metadata['skdigits']}, expected at most {FORMAT}: "
            "a newer skdigits can read it."
        )


def _check_protocol(protocol: Any) -> None:
    # skops 0.13 reads files of later protocols as if they were of its own.
    from skops.io._protocol import PROTOCOL

    if type(protocol) is not int or not 0 <= protocol <= PROTOCOL:
        raise ValueError(
            f"Got a file saved with skops protocol {protocol!r}, expected at most {PROTOCOL}."
        )


def _array_dtype(name: str, content: bytes) -> np.dtype[Any]:
    """The dtype of an array in NumPy's file format, whose header tells the truth."""
    stream = io.BytesIO(content)
    major, _ = np.lib.format.read_magic(stream)
    if major == 1:
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    size = len(content) - stream.tell()
    plain = dtype.kind in "biufcSUmM" and dtype.itemsize > 0
    if not plain or min(shape, default=0) < 0 or prod(shape) * dtype.itemsize != size:
        raise ValueError(
            f"Got {name} with {size} bytes for shape {shape} of {dtype}, expected a plain dtype "
            "and just the bytes that it needs."
        )
    return dtype


def _count_nodes(value: Any, arrays: dict[str, np.dtype[Any]], sizes: dict[int, int]) -> int:
    """Check the nodes of a skops tree and count them.

    skops takes a node whose id it has met before for that earlier one. Where all nodes of an id
    are of one size, as skops writes them, the tree that it walks is as large as the text. Else
    a few lines could mean a tree of any size, or one without an end.
    """
    if isinstance(value, list):
        return sum(_count_nodes(item, arrays, sizes) for item in value)
    if not isinstance(value, dict):
        return 0
    is_node = "__loader__" in value or "__id__" in value
    if is_node:
        _check_node(value, arrays)
    size = is_node + sum(_count_nodes(item, arrays, sizes) for item in value.values())
    if is_node:
        known = sizes.setdefault(value["__id__"], size)
        if known != size:
            raise ValueError(f"Got nodes of {known} and {size} parts with one id.")
    return size


def _check_node(node: dict[str, Any], arrays: dict[str, np.dtype[Any]]) -> None:
    names = [node.get(key) for key in ("__module__", "__class__", "__loader__")]
    if not all(isinstance(name, str) for name in names) or type(node.get("__id__")) is not int:
        raise ValueError(f"Got a node of {names}, expected module, class, kind and id.")
    if names[2] not in LOADERS:
        raise ValueError(f"Got a {names[2]} of {names[0]}.{names[1]}, which is not trusted.")
    if names[2] == "NdArrayNode" and node["type"] == "numpy":
        dtype = arrays[node["file"]]
        # skops calls the class on the array; numpy.void would take a number for a size.
        if names[1] not in ("ndarray", dtype.type.__name__):
            raise ValueError(f"Got a numpy.{names[1]} made of {dtype}, expected one dtype.")
