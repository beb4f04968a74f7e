"""What a process allows: its memory maps, forks, and the versions and threads it computes with."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np

from .._version import __version__
from .startup import is_forked, worker_threads

MAP_LIMIT = Path("/proc/sys/vm/max_map_count")

# About twice what a program of a few layers takes.
MAPS_PER_PROGRAM = 400


def check_process() -> None:
    """Refuse to train in a fork of a process that has already started the backend."""
    if is_forked():
        raise RuntimeError(
            "Got a fit in a process forked from one that had already used "
            f"{backend_title()}, whose threads don't survive a fork; expected a process started "
            "by 'spawn', 'forkserver' or joblib's loky. Predicting works in forked processes."
        )


def backend_title() -> str:
    return {"tensorflow": "TensorFlow", "jax": "JAX"}[keras.config.backend()]


def check_memory_maps(
    n_programs: int, maps: Path = Path("/proc/self/maps"), limit: Path = MAP_LIMIT
) -> None:
    """Refuse to compile where Linux would end the process for it.

    XLA puts a compiled program into some 150 memory maps. Linux allows a process 65,530 unless
    it is configured otherwise, and ends it at the next one.

    Parameters
    ----------
    n_programs : int
        Programs for which there must be room: the new one, those that other threads are
        compiling, and those that the process is expected to compile later.
    maps, limit : Path
        Where Linux lists the maps and the limit.
    """
    try:
        allowed = int(limit.read_text())
        with maps.open("rb") as lines:
            used = sum(1 for _ in lines)
    except (OSError, ValueError):
        # Not Linux, which has no such limit.
        return
    needed = n_programs * MAPS_PER_PROGRAM
    if used + needed > allowed:
        raise RuntimeError(
            f"Got another network to compile in a process with {used:,} memory maps, expected "
            f"{needed} free ones below Linux's limit of {allowed:,} (vm.max_map_count). TensorFlow "
            "never releases a compiled network. A search with n_jobs spreads its fits over new "
            "processes; on JAX (KERAS_BACKEND=jax) compiled networks are released."
        )


def environment() -> dict[str, str]:
    """What the last digits of trained weights depend on besides parameters and data."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count()
    backend = keras.config.backend()
    versions = {"backend": backend, "skdigits": __version__, "keras": keras.__version__}
    if backend == "jax":
        import jax

        versions["jax"] = jax.__version__
        threads = worker_threads() or os.environ.get("NPROC") or cores
    else:
        import tensorflow as tf

        versions["tensorflow"] = tf.__version__
        granted = os.environ.get("TF_NUM_INTRAOP_THREADS")
        threads = tf.config.threading.get_intra_op_parallelism_threads() or granted or cores
    return {**versions, "numpy": np.__version__, "threads": str(threads)}
