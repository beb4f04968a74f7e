"""Checkpoints: the state of a fit on disk, from which the same call resumes after a crash."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import numpy as np

from ._atomic import remove_leftovers, write_atomically
from ._network import Array, Network
from ._rows import Rows

FORMAT = 1
HEADER = "checkpoint.json"

# The next write follows after this multiple of the time that a write takes.
PAUSE = 60
# What a write is taken to cost before one was timed: seconds, and bytes per second.
LEAST_COST, ASSUMED_SPEED = 0.005, 1e8

BLOCK_ROWS = 65536


@dataclass
class TrainingState:
    """Where a run stands after some epochs.

    Parameters
    ----------
    epochs : int
        Epochs done; with 0 everything else is empty.
    history : dict of str to list of float
    weights, optimizer : list of ndarray
        What the program loads.
    best_score : tuple of two floats or None
        Score of the best epoch, None without validation data.
    best_epoch, improved_at : int
    best_weights : list of ndarray
    """

    epochs: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    weights: list[Array] = field(default_factory=list)
    optimizer: list[Array] = field(default_factory=list)
    best_score: tuple[float, float] | None = None
    best_epoch: int = 0
    improved_at: int = 0
    best_weights: list[Array] = field(default_factory=list)


ARRAYS = ("weights", "optimizer", "best_weights")


def digest(*arrays: Array) -> str:
    """A fingerprint of arrays: content, shapes and dtypes."""
    found = hashlib.blake2b(digest_size=16)
    for array in arrays:
        found.update(f"{array.dtype.str} {array.shape}".encode())
        for start in range(0, len(array), BLOCK_ROWS):
            block = np.ascontiguousarray(array[start : start + BLOCK_ROWS])
            found.update(block.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def network_digest(network: Network | None) -> str:
    """A fingerprint of everything in a network."""
    if network is None:
        return "none"
    norms = network.norms or ()
    arrays = [*network.kernels, *network.biases]
    arrays += [a for n in norms for a in (n.gamma, n.beta, n.mean, n.variance)]
    rest = (
        network.activation,
        [norm.epsilon for norm in norms],
        network.input_scale,
        network.temperature,
        network.blur,
    )
    return digest(*arrays, np.array([repr(rest)]))


def fit_description(
    settings: Any,
    validation_fraction: float,
    data: tuple[Rows, Rows | None],
    classes: Array,
    previous: Network | None,
    teacher: Network | None,
) -> dict[str, str]:
    """Everything that determines the result of a fit besides its seed, as text.

    Parameters
    ----------
    settings : Settings
    validation_fraction : float
    data : tuple of Rows and (Rows or None)
        Training rows before the validation split, and validation rows.
    classes : ndarray of shape (n_classes,)
    previous, teacher : Network or None
    """
    arrays = [a for rows in data if rows is not None for a in (rows.X, rows.y, rows.weights)]
    return described(settings) | {
        "validation_fraction": repr(float(validation_fraction)),
        "data": digest(*arrays),
        "classes": digest(np.array([repr(label) for label in classes.tolist()])),
        "warm start from": network_digest(previous),
        "teacher": network_digest(teacher),
    }


class Checkpoint:
    """A file that a fit writes during training and that the same fit resumes from.

    Parameters
    ----------
    path : str or path-like
    fit : dict of str to str
        What makes it the same fit: parameters and fingerprints of the data.
    seed : int
        Drawn for this fit.
    fixed_seed : bool
        Whether each call draws the same seed; else the file's is taken over.
    in_search : bool, default=False
        Whether other fits of a search are given the same path. Where the file belongs to another
        of them, this fit uses a file of its own beside it.

    Attributes
    ----------
    seed : int
        The seed to train with.
    state : TrainingState
        Where the fit stands.

    Raises
    ------
    ValueError
        If the file is not one of this fit.
    OSError
        If it can't be read, or none can be written there.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fit: Mapping[str, str],
        seed: int,
        *,
        fixed_seed: bool,
        in_search: bool = False,
    ) -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"Got checkpoint={path!r}, expected None or a path.")
        self.path, self._fit = Path(path), dict(fit)
        self._environment: dict[str, Any] = {}
        self._found_environment: dict[str, Any] | None = None
        self.seed, self.state = seed, TrainingState()
        try:
            self._open(fixed_seed)
        except AnotherFitError:
            if not in_search:
                raise
            key = json.dumps([self._fit, seed if fixed_seed else None])
            own = hashlib.blake2b(key.encode(), digest_size=6).hexdigest()
            self.path = self.path.with_name(f"{self.path.name}.{own}")
            self._open(fixed_seed)
        self._cost = 0.0
        self._last = time.monotonic()
        self._warned = False

    def _open(self, fixed_seed: bool) -> None:
        """Read the file, or write a first one."""
        if self.path.exists():
            self._read(fixed_seed)
            remove_leftovers(self.path)
        else:
            self._write_first()

    def begin(self, environment: Mapping[str, Any], nbytes: int) -> None:
        """Training starts here, with these versions and threads and a state of that size.

        Raises
        ------
        AnotherFitError
            If the file holds the state of a fit on another Keras backend.
        """
        self._environment = dict(environment)
        if self.state.epochs:
            self._refuse_another_backend()
        self._cost = LEAST_COST + nbytes / ASSUMED_SPEED
        self._last = time.monotonic()
        before = self._found_environment
        # The file written at the start of a fit knows no environment yet.
        if before and before != self._environment:
            changed = [
                f"{name} {before.get(name)} then, {value} now"
                for name, value in self._environment.items()
                if before.get(name) != value
            ]
            warnings.warn(
                f"Training goes on from {os.fspath(self.path)!r} under other conditions "
                f"({'; '.join(changed)}): the weights will differ in their last digits from those "
                "of a fit that was never interrupted.",
                UserWarning,
                stacklevel=2,
            )

    def _refuse_another_backend(self) -> None:
        """Raise an error where the optimizer's state is one of another Keras backend."""
        there = (self._found_environment or {}).get("backend")
        here = self._environment.get("backend")
        if there and here and there != here:
            raise AnotherFitError(
                f"Got checkpoint={os.fspath(self.path)!r}, which belongs to a fit on the Keras "
                f"backend {there}, expected one of a fit on {here} or a new name. The file was "
                "left as it is."
            )

    def due(self) -> bool:
        """Whether enough time has passed for another write to cost less than 2 % of it."""
        return time.monotonic() - self._last >= PAUSE * self._cost

    def write(self, collect: Callable[[], TrainingState]) -> None:
        """Put the state that `collect` returns into the file; where that fails, warn once."""
        started = time.monotonic()
        try:
            self._write(collect())
        except OSError as error:
            if not self._warned:
                warnings.warn(
                    f"Training goes on, but its checkpoint {os.fspath(self.path)!r} could not be "
                    f"written: {error}.",
                    RuntimeWarning,
                    stacklevel=2,
                )
            self._warned = True
        self._last = time.monotonic()
        self._cost = max(LEAST_COST, self._last - started)

    def remove(self) -> None:
        """Delete the file of a fit that has ended."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            warnings.warn(
                f"The fit has ended, but its checkpoint {os.fspath(self.path)!r} could not be "
                f"removed: {error}.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _write_first(self) -> None:
        """Write a file without a state, to see that one can be written and to keep the seed."""
        try:
            self._write(self.state)
        except OSError as error:
            raise OSError(
                f"Got checkpoint={os.fspath(self.path)!r}, expected the path of a file that can "
                f"be written: {error}"
            ) from error

    def _write(self, state: TrainingState) -> None:
        header = {name: v for name, v in vars(state).items() if name not in ARRAYS}
        lists = {name: getattr(state, name) for name in ARRAYS}
        header |= {
            "format": FORMAT,
            "fit": self._fit,
            "seed": self.seed,
            "environment": self._environment,
            "arrays": {name: len(arrays) for name, arrays in lists.items()},
        }

        def fill(file: Any) -> None:
            with ZipFile(file, "w", ZIP_STORED) as archive:
                archive.writestr(HEADER, json.dumps(header))
                for name, arrays in lists.items():
                    for i, array in enumerate(arrays):
                        buffer = BytesIO()
                        np.save(buffer, array, allow_pickle=False)
                        archive.writestr(f"{name}_{i}.npy", buffer.getbuffer())

        write_atomically(self.path, fill)

    def _read(self, fixed_seed: bool) -> None:
        """Take over what the file holds, if it is one of this fit."""
        name = os.fspath(self.path)
        try:
            with self.path.open("rb") as file, ZipFile(file) as archive:
                members = archive.infolist()
                # A compressed member could be of any size once it is unpacked.
                if any(m.compress_type != ZIP_STORED for m in members):
                    raise BadZipFile("compressed members")
                header = json.loads(archive.read(HEADER))
                if header["format"] != FORMAT:
                    raise KeyError(f"format {header['format']}")
                fit, seed = dict(header["fit"]), int(header["seed"])
                self._refuse_another(fit, seed if fixed_seed else None)
                lists = {
                    kind: [
                        np.load(BytesIO(archive.read(f"{kind}_{i}.npy")), allow_pickle=False)
                        for i in range(count)
                    ]
                    for kind, count in header["arrays"].items()
                }
            best = header["best_score"]
            self.state = TrainingState(
                epochs=header["epochs"],
                history=header["history"],
                best_score=None if best is None else (best[0], best[1]),
                best_epoch=header["best_epoch"],
                improved_at=header["improved_at"],
                **lists,
            )
        except AnotherFitError:
            raise
        except OSError as error:
            raise OSError(
                f"Got checkpoint={name!r}, expected a file that can be read: {error}"
            ) from error
        except Exception as error:
            raise ValueError(
                f"Got checkpoint={name!r}, which is a damaged file or none of skdigits' "
                f"checkpoints ({type(error).__name__}: {error}), expected one of this fit or a "
                "new name. The file was left as it is."
            ) from error
        self.seed = seed
        self._found_environment = header["environment"]

    def _refuse_another(self, fit: dict[str, str], seed: int | None) -> None:
        """Raise an error that names what is not the same in the file's fit."""
        here, there = dict(self._fit), fit
        if seed is not None:
            here, there = {**here, "seed": str(self.seed)}, {**there, "seed": str(seed)}
        differing = [
            f"{name} {there.get(name)} there, {here.get(name)} here"
            for name in here | there
            if there.get(name) != here.get(name)
        ]
        if differing:
            raise AnotherFitError(
                f"Got checkpoint={os.fspath(self.path)!r}, which belongs to another fit "
                f"({'; '.join(differing)}), expected one of a fit with the same parameters and "
                "data or a new name. The file was left as it is."
            )


class AnotherFitError(ValueError):
    """A checkpoint belongs to a fit of other parameters or data."""


def described(settings: Any) -> dict[str, str]:
    """Each setting that has a say in the weights, as text."""
    texts = {name: repr(value) for name, value in vars(settings).items()}
    del texts["verbose"]
    optimizer = settings.optimizer
    texts["optimizer_params"] = repr(sorted(settings.optimizer_params.items()))
    if isinstance(optimizer, type):
        texts["optimizer"] = _full_name(optimizer)
    elif not isinstance(optimizer, str):
        config = optimizer.get_config()
        config.pop("name", None)
        texts["optimizer"] = f"{_full_name(type(optimizer))} {config}"
    return texts


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
