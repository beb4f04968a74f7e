"""Starts Keras with its backend, TensorFlow or JAX, without printing their start-up messages."""

from __future__ import annotations

import logging
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BACKENDS = ("tensorflow", "jax")

# Start-up messages of TensorFlow's and JAX's native log, whose level the environment can't set
# before they are imported. Other warnings and errors, such as of a GPU that can't be used, count.
_START_UP_MESSAGE = re.compile(
    rb"I\d{4} \d\d:|WARNING: All log messages before absl::|"
    rb"To enable the following instructions:|"
    rb"[WE]\d{4} \d\d:.*(failed call to cuInit|Could not find cuda drivers|"
    rb"Unable to register cu\w+ factory|computation placer already registered|"
    rb"This TensorFlow binary is optimized)"
)


def start_backend() -> None:
    """Import Keras, its backend and SciKeras, and let the backend find its devices.

    Nothing that the backend prints about itself is shown; other lines are passed on.

    Raises
    ------
    ImportError
        If Keras' backend is not installed, or is neither TensorFlow nor JAX.
    """
    fresh = "tensorflow" not in sys.modules
    with _interrupt_deferred(), _start_up_messages_hidden(), _log_level():
        name = _import_keras()
        if name == "jax":
            _start_jax()
        else:
            _start_tensorflow(worker_threads() if fresh else None)
        _import_scikeras(hide_tensorflow=name == "jax")


def _import_keras() -> str:
    """Import Keras; the name of its backend."""
    asked = os.environ.get("KERAS_BACKEND") or "of Keras' configuration file"
    try:
        import keras
    except (ImportError, ValueError) as error:
        # Keras raises a ValueError for a name that it doesn't know.
        raise ImportError(
            f"Got the Keras backend {asked}, which can't be imported ({error}), expected "
            "tensorflow or jax. Set the environment variable KERAS_BACKEND to an installed one "
            'before Keras is imported; "pip install skdigits" installs TensorFlow, '
            '"pip install skdigits[jax]" JAX.'
        ) from error
    name: str = keras.config.backend()
    if name not in BACKENDS:
        raise ImportError(
            f"Got the Keras backend {name}, expected tensorflow or jax. Set the environment "
            "variable KERAS_BACKEND before Keras is imported."
        )
    return name


def _start_tensorflow(threads: int | None) -> None:
    import tensorflow as tf

    if threads is not None and not os.environ.get("TF_NUM_INTRAOP_THREADS"):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    tf.config.list_logical_devices()
    # It takes the programs of several architectures for one function traced several times.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


def _start_jax() -> None:
    import jax

    threads = worker_threads()
    # JAX reads the number of threads once, when it looks for its devices.
    with _environment("NPROC", None if threads is None else str(threads)):
        jax.devices()


def worker_threads() -> int | None:
    """Threads that joblib or Dask grants a worker process, None outside of one.

    Both set OMP_NUM_THREADS in their workers, which neither TensorFlow nor JAX reads.
    """
    if multiprocessing.parent_process() is None:
        return None
    granted = os.environ.get("OMP_NUM_THREADS", "")
    return int(granted) if granted.isdigit() and int(granted) > 0 else None


def _import_scikeras(*, hide_tensorflow: bool) -> None:
    """Import SciKeras without the pickling methods that it sets on Keras' classes.

    It imports TensorFlow wherever that is installed, unless TensorFlow is hidden.
    """
    if "scikeras" in sys.modules:
        return
    import keras

    patched = (keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer)
    names = ("__reduce__", "__deepcopy__")
    before = [(c, n, c.__dict__.get(n)) for c in patched for n in names]
    hidden = hide_tensorflow and "tensorflow" not in sys.modules
    if hidden:
        # With None in its place, an import raises ImportError.
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        import scikeras.wrappers  # noqa: F401
    finally:
        if hidden:
            del sys.modules["tensorflow"]
    for owner, name, method in before:
        if method is not None:
            setattr(owner, name, method)
        elif name in owner.__dict__:
            delattr(owner, name)


def is_forked() -> bool:
    """Whether this process was forked from one in which the backend had started threads.

    Its threads don't survive a fork. They are started with the backend's first device, which
    `start_backend` has asked for, and their names begin with "tf_" in TensorFlow and in JAX.
    """
    if os.getpid() != _STARTED_IN:
        return True
    try:
        names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    except OSError:
        return False
    return bool(names) and not any(name.startswith("tf_") for name in names)


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable for a moment unless it is set or the value is None."""
    if value is None or name in os.environ:
        yield
        return
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)


@contextmanager
def _log_level() -> Iterator[None]:
    """Native code logs errors alone from here on, unless the user has set another level."""
    with _environment("TF_CPP_MIN_LOG_LEVEL", "2"):
        yield


@contextmanager
def _interrupt_deferred() -> Iterator[None]:
    """Defer Ctrl-C: an interrupted import may continue, or leave modules half imported."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *args: pressed.append(args))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed and callable(before):
            before(*pressed[0])


@contextmanager
def _start_up_messages_hidden() -> Iterator[None]:
    """Collect what is written to file descriptor 2, then pass on all but start-up messages."""
    try:
        kept = os.dup(2)
    except OSError:
        # Standard error is closed, as in a service.
        yield
        return
    _flush()
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file:
                if not _START_UP_MESSAGE.match(line):
                    os.write(2, line)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()


_STARTED_IN = os.getpid()
