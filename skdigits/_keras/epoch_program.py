"""What the engines share: the state of a training run, and its steps on rows in device memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from .building import compiled_model
from .conversion import network_variables, to_numpy
from .device_data import PlacedData, StreamedData
from .program_spec import ProgramSpec
from .training_step import TrainingStep

Arrays = list[np.ndarray]


class EpochProgram(ABC):
    """A network and an optimizer with a compiled loop over the steps of training.

    A subclass is an engine: it holds the state where its backend computes and compiles the loop.
    A program is loaded before use and has one user at a time.

    The state has these groups of arrays:

    - network: weights in the order of `network_variables`
    - slots: variables of the optimizer but the learning rate, which each step is given
    - averages: moving averages of the network, if `spec.averaging`
    - seeds: random seeds of the hidden layers, if any has dropout
    - deformation: random seed and value around the images, with augmentation
    - teacher: kernel and bias of each of its layers, with a teacher
    """

    engine: ClassVar[str]
    releases: ClassVar[bool] = False

    def __init__(self, spec: ProgramSpec) -> None:
        self.spec, self.key, self.reusable = spec, spec.key(), True
        model = compiled_model(spec.architecture, spec.optimizer, spec.label_smoothing)
        self.step = TrainingStep(spec, model.loss, self)
        self._optimizer, self._trained = model.optimizer, model.trainable_variables
        self.learning_rate = float(to_numpy(self._optimizer.learning_rate))
        network, slots = network_variables(model), slot_variables(self._optimizer)
        self._trained_at = indices(self._trained, network)
        initial = [to_numpy(v) for v in slots]
        # Zeros are made at each load.
        self._initial_slots = [(a.shape, a.dtype, a if a.any() else None) for a in initial]
        groups = {"network": network, "slots": slots, **self._other_groups(network)}
        self._groups = {name: [self._hold(v) for v in held] for name, held in groups.items()}

    def _other_groups(self, network: list[Any]) -> dict[str, Arrays]:
        """The groups that are no variables of the Keras model or its optimizer."""
        spec, n_hidden = self.spec, len(self.spec.architecture.hidden_layer_sizes)
        widths = spec.teacher[0] if spec.teacher else ()
        shapes = [shape for pair in pairwise(widths) for shape in (pair, pair[1:])]
        dropout, deformed = any(spec.architecture.dropout), spec.augmentation is not None
        return {
            "averages": [to_numpy(v) for v in network] if spec.averaging else [],
            "seeds": [np.zeros((n_hidden, 2), np.uint32)] if dropout else [],
            "deformation": [np.array(0, np.int32), np.array(0, np.float32)] if deformed else [],
            "teacher": [np.zeros(shape, spec.architecture.dtype) for shape in shapes],
        }

    @abstractmethod
    def _hold(self, value: Any) -> Any:
        """A Keras variable or an array where the engine holds its state."""

    @abstractmethod
    def put(self, group: str, arrays: Arrays) -> None:
        """Replace the arrays of a group."""

    @abstractmethod
    def get(self, group: str) -> Arrays:
        """Copies of the arrays of a group."""

    @abstractmethod
    def place(self, array: np.ndarray) -> Any:
        """An array where the compiled loop reads it; the caller doesn't change it later."""

    @abstractmethod
    def uniform(self, shape: tuple[int, ...], seed: Any) -> Any:
        """Random numbers of float32 in [0, 1) from two int32 numbers, in the compiled loop."""

    @abstractmethod
    def gather(self, array: Any, index: Any) -> Any:
        """Elements along the first axis, every index being in range, in the compiled loop."""

    @abstractmethod
    def _run_steps(
        self, data: PlacedData, order: np.ndarray, rates: np.ndarray, scalars: np.ndarray
    ) -> np.ndarray:
        """Steps of `run` on rows on the device; scalars are the span and the number of rows."""

    @classmethod
    def context(cls, dtype: str) -> AbstractContextManager[Any]:
        """Within it, networks of this dtype are built and trained."""
        return nullcontext()

    @classmethod
    def release_compiled(cls) -> None:
        """Release the memory of all programs compiled in this process, if `releases`."""
        raise NotImplementedError

    @property
    def state_owner(self) -> str:
        """What the optimizer's state belongs to: nothing else can go on from it."""
        spec = self.spec
        dropped = tuple(rate > 0 for rate in spec.architecture.dropout)
        averaged, deformed = bool(spec.averaging), bool(spec.augmentation)
        return repr((self.engine, spec.optimizer.key(), averaged, dropped, deformed))

    @property
    def _state_groups(self) -> list[str]:
        """Groups that a later run needs besides the weights to predict with."""
        # Where averages are what predicts, the weights themselves are state like the slots.
        return ["slots", *(["network"] if self.spec.averaging else []), "seeds", "deformation"]

    @property
    def nbytes(self) -> int:
        """Memory of the state."""
        held = [array for arrays in self._groups.values() for array in arrays]
        return sum(int(np.prod(a.shape)) * np.dtype(a.dtype.name).itemsize for a in held)

    def load(self, weights: Arrays, state: Arrays | None = None) -> None:
        """Start from these weights with a new optimizer, or with the state of an earlier one."""
        self.put("network", weights)
        self.put("averages", weights if self.spec.averaging else [])
        if state is None:
            initial = self._initial_slots
            self.put("slots", [np.zeros(s, d) if a is None else a for s, d, a in initial])
            return
        state = list(state)
        for group in self._state_groups:
            n = len(self._groups[group])
            self.put(group, state[:n])
            del state[:n]

    def seed_layers(self, seeds: np.ndarray) -> None:
        """Start the random generators of dropout: uint32 of shape (n_hidden_layers, 2)."""
        if self._groups["seeds"]:
            self.put("seeds", [seeds])

    def start_deformations(self, seed: int, fill: float) -> None:
        """Deform images from this random seed, with this value around them."""
        self.put("deformation", [np.array(seed, np.int32), np.array(fill, np.float32)])

    def weights(self) -> Arrays:
        """The network's arrays for prediction: averages where averaging is on."""
        return self.get("averages" if self.spec.averaging else "network")

    def state(self) -> Arrays:
        """All else that a later run needs to go on: slots, step count, random seeds."""
        return [array for group in self._state_groups for array in self.get(group)]

    def run(
        self, data: PlacedData | StreamedData, order: np.ndarray, rates: np.ndarray, *span: int
    ) -> np.ndarray:
        """Train on steps `start` to `stop` of the index matrix.

        Parameters
        ----------
        data : PlacedData or StreamedData
        order : ndarray of int32 of shape (steps_capacity, batch_size)
            Rows of each step, one epoch after the other; of streamed rows one epoch, however
            long.
        rates : ndarray of float32 of shape (len(order),)
            Learning rate of each step.
        *span : int
            start, stop and the number of steps of one epoch.

        Returns
        -------
        ndarray of shape (len(order), 2)
            Of each step the loss summed over its rows and the number of rows classified
            correctly; 0 outside of the span.
        """
        if isinstance(data, StreamedData):
            return self._run_streamed(data, order, rates, *span)
        scalars = np.array([*span, data.n_rows], dtype=np.int32)
        return self._run_steps(data, order, rates, scalars)

    def _run_streamed(
        self, data: StreamedData, order: np.ndarray, rates: np.ndarray, *span: int
    ) -> np.ndarray:
        """The same, window after window."""
        sums = np.zeros((len(order), 2))
        for steps, window, own_order in data.windows(order, *span):
            n = steps.stop - steps.start
            own_rates = np.zeros(self.spec.steps_capacity, dtype=np.float32)
            own_rates[:n] = rates[steps]
            sums[steps] = self.run(window, own_order, own_rates, 0, n, n)[:n]
            # Before the next one is placed.
            del window
        return sums


def slot_variables(optimizer: Any) -> list[Any]:
    """The variables of a Keras optimizer but the learning rate."""
    return [v for v in optimizer.variables if v is not optimizer.learning_rate]


def indices(chosen: list[Any], variables: list[Any]) -> list[int]:
    """Where the chosen ones are in a list of variables."""
    ids = [id(v) for v in variables]
    return [ids.index(id(v)) for v in chosen]
