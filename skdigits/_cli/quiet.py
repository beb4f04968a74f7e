"""TensorFlow without what it says to everybody who imports it."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Lines of its native log, whose level the environment can't set while it is being imported, and
# the second line of its one message that has two.
_NOISE = re.compile(
    rb"[IWE]\d{4} \d\d:|WARNING: All log messages before absl::|"
    rb"To enable the following instructions:"
)


def import_tensorflow() -> None:
    """Import TensorFlow and let it look for its devices, without its log of these.

    Whatever else comes to standard error meanwhile is passed on.
    """
    if "tensorflow" in sys.modules:
        return
    # From here on only errors are logged, unless the user wants more.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _uninterrupted(), _without_noise():
        import tensorflow as tf

        tf.config.list_physical_devices()
        import skdigits._keras.process  # noqa: F401
    # It suspects a mistake where many networks are compiled, as in a search.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off: an import that is broken off may go on, and leave half of itself."""
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
def _without_noise() -> Iterator[None]:
    """Hold back what native code writes to standard error, then pass on what matters."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            for line in file:
                if not _NOISE.match(line):
                    os.write(2, line)
