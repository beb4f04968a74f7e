"""Compiled programs that are kept from fit to fit, and how many a process may hold."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from .epoch_program import EpochProgram
from .process import check_memory_maps
from .program_spec import ProgramSpec


def program_class() -> type[EpochProgram]:
    """The engine of Keras' backend."""
    if keras.config.backend() == "jax":
        from .jax_engine import JaxProgram

        return JaxProgram
    from .tensorflow_engine import TensorFlowProgram

    return TensorFlowProgram


class ProgramCache:
    """Idle programs, the least recently used dropped beyond a number and a size in bytes.

    A program is taken out while a fit uses it, so a concurrent fit of the same kind builds its
    own. One whose fit failed or was interrupted isn't put back.

    TensorFlow never releases what it has compiled, so that programs are refused where memory
    maps run out. JAX releases it, but only all of it, the user's own compiled functions too:
    that is done once `max_compiled` programs were compiled and while no fit runs.
    """

    def __init__(self, maxsize: int = 24, maxbytes: int = 2**29, max_compiled: int = 24) -> None:
        self.maxsize, self.maxbytes, self.max_compiled = maxsize, maxbytes, max_compiled
        self._idle: list[EpochProgram] = []
        self._lock = threading.Lock()
        # Programs compiled since the last release, those in use, and those being compiled.
        self._n_compiled = self._n_used = self._n_new = 0

    def __len__(self) -> int:
        return len(self._idle)

    def clear(self) -> None:
        with self._lock:
            self._idle.clear()

    @contextmanager
    def checked_out(self, spec: ProgramSpec, *, candidate: bool = False) -> Iterator[EpochProgram]:
        """A program for this spec, the caller's alone within the context.

        Raises
        ------
        RuntimeError
            If there is no room to compile another one. For a candidate of a search there must be
            room for two, so that the refit of the best one can follow.
        """
        with self._lock:
            program = self._take(spec.key())
            is_new = program is None
            if is_new:
                self._make_room(candidate)
            self._n_new += is_new
            self._n_used += 1
        try:
            if program is None:
                program = program_class()(spec)
            yield program
            if program.reusable:
                self._put_back(program)
        finally:
            with self._lock:
                self._n_new -= is_new
                self._n_used -= 1

    def _take(self, key: tuple[Any, ...]) -> EpochProgram | None:
        for i in reversed(range(len(self._idle))):
            if self._idle[i].key == key:
                return self._idle.pop(i)
        return None

    def _make_room(self, candidate: bool) -> None:
        """Release or refuse, so that one more program can be compiled."""
        engine = program_class()
        if engine.releases and self._n_compiled >= self.max_compiled and not self._n_used:
            self._idle.clear()
            engine.release_compiled()
            self._n_compiled = 0
        check_memory_maps(self._n_new + 1 + candidate)
        self._n_compiled += 1

    def _put_back(self, program: EpochProgram) -> None:
        with self._lock:
            self._idle.append(program)
            while (
                len(self._idle) > self.maxsize
                or sum(idle.nbytes for idle in self._idle) > self.maxbytes
            ):
                del self._idle[0]


PROGRAMS = ProgramCache()
