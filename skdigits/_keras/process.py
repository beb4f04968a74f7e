"""Starts TensorFlow in a process, and checks what the process can take."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

from .._version import __version__


def _inner_threads() -> int | None:
    """Threads that joblib or Dask grants a worker process, None outside of one.

    Both tell their workers through OMP_NUM_THREADS, which TensorFlow doesn't read. What the user
    has told TensorFlow itself goes before.
    """
    if multiprocessing.parent_process() is None or os.environ.get("TF_NUM_INTRAOP_THREADS"):
        return None
    granted = os.environ.get("OMP_NUM_THREADS", "")
    return int(granted) if granted.isdigit() and int(granted) > 0 else None


def _import_tensorflow() -> Any:
    """TensorFlow, with a worker's share of threads where it hasn't started yet."""
    fresh = "tensorflow" not in sys.modules
    import tensorflow as tf

    threads = _inner_threads()
    if fresh and threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    return tf


def _import_scikeras() -> None:
    """SciKeras, without the pickling methods that its import puts on Keras' own classes."""
    if "scikeras" in sys.modules:
        return
    import keras

    touched = (keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer)
    names = ("__reduce__", "__deepcopy__")
    before = [(c, n, c.__dict__.get(n)) for c in touched for n in names]
    import scikeras.wrappers  # noqa: F401

    for owner, name, method in before:
        if method is not None:
            setattr(owner, name, method)
        elif name in owner.__dict__:
            delattr(owner, name)


MAP_LIMIT = Path("/proc/sys/vm/max_map_count")

# About twice what a program of a few layers takes.
PIECES_OF_A_PROGRAM = 400

_import_tensorflow()
_import_scikeras()
_first_process = os.getpid()


def check_process() -> None:
    """Refuse to train in a fork of a process that has already started TensorFlow."""
    if os.getpid() != _first_process:
        raise RuntimeError(
            "Got a fit in a process forked from one that had already used TensorFlow, whose "
            "threads don't survive a fork; expected a process started by 'spawn', 'forkserver' "
            "or joblib's loky. Predicting works in forked processes."
        )


def check_room(maps: Path = Path("/proc/self/maps"), limit: Path = MAP_LIMIT) -> None:
    """Refuse to compile where the system would end the process for it.

    XLA puts each compiled program into some 150 pieces of memory and never gives them back. Linux
    grants a process 65,530 unless told otherwise; at the next one it is killed without a word.
    """
    try:
        granted = int(limit.read_text())
        with maps.open("rb") as pieces:
            taken = sum(1 for _ in pieces)
    except (OSError, ValueError):
        # Not Linux, which has no such limit.
        return
    if taken + PIECES_OF_A_PROGRAM > granted:
        raise RuntimeError(
            f"Got one more network to compile in a process that has {taken:,} pieces of memory "
            f"mapped, expected room for {PIECES_OF_A_PROGRAM} below Linux's limit of {granted:,} "
            "(vm.max_map_count): what was compiled for other networks is never given back. Go on "
            "in a new process; a search spreads its fits over several with n_jobs."
        )


def environment() -> dict[str, str]:
    """What the last digits of trained weights depend on besides parameters and data."""
    import keras
    import numpy as np
    import tensorflow as tf

    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    granted = os.environ.get("TF_NUM_INTRAOP_THREADS")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or granted or cores
    versions = {"skdigits": __version__, "keras": keras.__version__, "tensorflow": tf.__version__}
    return {**versions, "numpy": np.__version__, "threads": str(threads)}
