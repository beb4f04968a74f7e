"""The loop over epochs: order of rows, learning rates, validation, stopping.

Nothing here imports TensorFlow; `train` imports `skdigits._keras` when it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ._augmentation import background
from ._checkpoint import Checkpoint, TrainingState
from ._network import Array, BatchNorm, Network, cross_entropy
from ._parameters import Settings
from ._rows import Rows, streamed, window_rows
from ._schedule import learning_rates

if TYPE_CHECKING:
    from ._keras.building import OptimizerSpec
    from ._keras.callbacks import KerasHooks
    from ._keras.device_data import PlacedData, StreamedData
    from ._keras.epoch_program import EpochProgram
    from ._keras.program_spec import ProgramSpec

# Independent random streams of one seed.
SPLIT, WEIGHTS, ORDER, LAYERS, DEFORMATION = range(5)

# Arithmetic between two looks at Ctrl-C and at the loss: a fraction of a second.
FLOP_PER_CALL = 2e10


class TrainingDivergedError(ValueError):
    """The loss or the weights stopped being finite before there was anything to keep."""


class Observer(Protocol):
    """Somebody who watches the epochs and may end them."""

    def begin_epoch(self, epoch: int) -> None: ...

    def end_epoch(
        self, epoch: int, logs: dict[str, float], result: Callable[[], Result]
    ) -> bool: ...


@dataclass(frozen=True)
class OptimizerState:
    """Slots, step count and random generators, and what they belong to.

    With the same `capacity` a shorter chunk of rows goes through the same compiled program.
    """

    owner: str
    arrays: list[Array]
    capacity: int = 0


@dataclass
class Job:
    """What one training run starts from.

    `state` is what an earlier run has left of its optimizer; one of another optimizer isn't used.
    With `keep_state` this run leaves its own. Without `shuffle` the rows are taken in their
    order. An `observer` sees every epoch. A `checkpoint` may hold the state to go on from, and
    gets newer ones. The probabilities that a `teacher` gives to the rows, as this network sees
    them, take the place of their labels. A `candidate` of a search is refused where the process
    has no room for another network after it.
    """

    settings: Settings
    rows: Rows
    validation: Rows | None
    network: Network
    seed: int
    epochs: int
    shuffle: bool = True
    keep_state: bool = False
    state: OptimizerState | None = None
    observer: Observer | None = None
    keras_callbacks: list[Any] = field(default_factory=list)
    checkpoint: Checkpoint | None = None
    teacher: Network | None = None
    candidate: bool = False


@dataclass
class Result:
    """What a training run leaves: the network to predict with and how it came about.

    `stopped` is None, "interrupted" or "diverged".
    """

    network: Network
    history: dict[str, list[float]]
    best_epoch: int
    state: OptimizerState | None
    stopped: str | None = None


def generator(seed: int, stream: int) -> np.random.Generator:
    """One of a seed's independent streams."""
    return np.random.default_rng([seed, stream])


def initial_network(
    settings: Settings, n_features: int, n_classes: int, dtype: np.dtype[Any], seed: int
) -> Network:
    """A network with Glorot-uniform weights and biases of 0, as Keras begins.

    Without hidden layers there is no symmetry to break and weights begin at 0.

    References
    ----------
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010.
    """
    rng = generator(seed, WEIGHTS)
    widths = (n_features, *settings.hidden_layer_sizes, n_classes)
    kernels = []
    for n_in, n_out in pairwise(widths):
        limit = np.sqrt(6 / (n_in + n_out)) if settings.hidden_layer_sizes else 0.0
        kernels.append(rng.uniform(-limit, limit, (n_in, n_out)).astype(dtype))
    norms = None
    if settings.batch_norm:
        norms = tuple(
            BatchNorm(
                gamma=np.ones(width, dtype),
                beta=np.zeros(width, dtype),
                mean=np.zeros(width, dtype),
                variance=np.ones(width, dtype),
                epsilon=1e-3,
            )
            for width in settings.hidden_layer_sizes
        )
    biases = tuple(np.zeros(width, dtype) for width in widths[1:])
    return Network(tuple(kernels), biases, settings.activation, norms)


def relative(weights: Array) -> Array:
    """Weights whose mean, which is what a step divides by, is 1."""
    return np.asarray(weights / weights.mean())


def row_order(job: Job, first_epoch: int = 0) -> Iterator[Array]:
    """Row numbers of each epoch from `first_epoch` on, for ever."""
    rng = generator(job.seed, ORDER)
    for epoch in count():
        order = rng.permutation(len(job.rows)) if job.shuffle else np.arange(len(job.rows))
        if epoch >= first_epoch:
            yield order


def train(job: Job) -> Result:
    """Train a network.

    The checkpoint of the job remains: its caller removes it once it has stored the result.

    Raises
    ------
    TrainingDivergedError
        If the loss is not finite from the first epochs on.
    KeyboardInterrupt
        If the user interrupts the first epoch.
    """
    from ._keras.building import OptimizerSpec
    from ._keras.process import check_process
    from ._keras.program_cache import PROGRAMS, program_class

    check_process()
    optimizer = OptimizerSpec.read(job.settings.optimizer, job.settings.optimizer_params)
    spec = _program_spec(job, optimizer)
    with (
        program_class().context(spec.architecture.dtype),
        PROGRAMS.checked_out(spec, candidate=job.candidate) as program,
    ):
        result = _train_on(program, job, optimizer.learning_rate)
    if isinstance(result, TrainingDivergedError):
        # The same call would diverge again.
        if job.checkpoint is not None:
            job.checkpoint.remove()
        raise result
    if result.stopped == "interrupted" and not result.history["loss"]:
        # No epoch has ended: the weights are random, or those that the run started from.
        raise KeyboardInterrupt
    return result


def _train_on(
    program: EpochProgram, job: Job, own_rate: float | None
) -> Result | TrainingDivergedError:
    """Train on a program, which stays in use for later runs where training diverges."""
    from ._keras.callbacks import KerasHooks
    from ._keras.device_data import StreamedData, place
    from ._keras.process import environment

    put = StreamedData if streamed(job.rows.X) else place
    data = put(job.rows.X, job.rows.y, relative(job.rows.weights), program)
    if job.checkpoint is not None:
        job.checkpoint.begin(environment(), program.nbytes)
    hooks = KerasHooks(job.keras_callbacks, program, job.epochs, job.settings.verbose)
    try:
        result = _Run(job, program, data, hooks, own_rate).result()
    except TrainingDivergedError as error:
        return error
    program.reusable = result.stopped != "interrupted"
    return result


def _program_spec(job: Job, optimizer: OptimizerSpec) -> ProgramSpec:
    from ._keras.building import Architecture
    from ._keras.program_spec import ProgramSpec, row_capacity

    settings, network = job.settings, job.network
    capacity = row_capacity(window_rows(job.rows.X, settings.batch_size))
    if job.state is not None:
        capacity = max(capacity, job.state.capacity)
    return ProgramSpec(
        architecture=Architecture(
            n_features=network.n_features,
            hidden_layer_sizes=settings.hidden_layer_sizes,
            n_classes=network.kernels[-1].shape[1],
            activation=settings.activation,
            dropout=settings.dropout,
            l2=settings.l2,
            batch_norm=settings.batch_norm,
            dtype=network.dtype.name,
        ),
        optimizer=optimizer,
        label_smoothing=settings.label_smoothing,
        augmentation=settings.augmentation,
        teacher=(job.teacher.widths, job.teacher.activation) if job.teacher else None,
        averaging=settings.averaging,
        batch_size=min(settings.batch_size, capacity),
        capacity=capacity,
        input_dtype="uint8" if network.input_scale != 1.0 else network.dtype.name,
    )


class _Run:
    """One training run on a program that is its own for the time."""

    def __init__(
        self,
        job: Job,
        program: EpochProgram,
        data: PlacedData | StreamedData,
        hooks: KerasHooks,
        own_rate: float | None,
    ) -> None:
        from ._keras.conversion import network_from_arrays

        self.job, self.program, self.data, self.hooks = job, program, data, hooks
        self._from_arrays = network_from_arrays
        self.n_steps = -(-len(job.rows) // program.spec.batch_size)
        # A kept program may have been built for another instance, with another rate.
        given = (job.settings.learning_rate, own_rate, program.learning_rate)
        self.peak_rate = next(rate for rate in given if rate is not None)
        self.rates = learning_rates(
            job.settings.learning_rate_schedule, self.peak_rate, job.epochs * self.n_steps
        )
        self._start()

    def _start(self) -> None:
        """Put everything where it is before the first epoch."""
        from ._keras.conversion import network_arrays

        job, program = self.job, self.program
        if job.teacher is not None:
            # Deformed images are blurred already.
            blur = 0.0 if job.settings.augmentation else job.teacher.blur
            program.put("teacher", replace(job.teacher, blur=blur).layers(scaled_input=True))
        self.first_epoch = 0
        self.history: dict[str, list[float]] = {"loss": [], "accuracy": [], "learning_rate": []}
        if job.validation is not None:
            self.history |= {"val_loss": [], "val_accuracy": []}
        self.best: tuple[tuple[float, float], int, Network] | None = None
        self.improved_at = 0
        self.last_good: Network | None = None
        if job.checkpoint is not None and job.checkpoint.state.epochs:
            self._resume(job.checkpoint.state)
            return
        state = job.state
        if state is not None and state.owner != program.state_owner:
            state = None
        program.load(network_arrays(job.network), state.arrays if state else None)
        if state is None:
            shape = (len(job.settings.hidden_layer_sizes), 2)
            layers = generator(job.seed, LAYERS)
            program.seed_layers(layers.integers(2**32, size=shape, dtype=np.uint32))
            if job.settings.augmentation:
                seed = int(generator(job.seed, DEFORMATION).integers(2**31))
                program.start_deformations(seed, background(job.rows.X) * job.network.input_scale)

    def _resume(self, state: TrainingState) -> None:
        """Go on where a run that was cut off had saved its state."""
        self.first_epoch = state.epochs
        self.history = {name: list(values) for name, values in state.history.items()}
        if state.best_score is not None:
            best = self._from_arrays(state.best_weights, self.job.network)
            self.best = (state.best_score, state.best_epoch, best)
        self.improved_at = state.improved_at
        self.program.load(state.weights, state.optimizer)
        self.last_good = self.network()

    def _state(self, epochs: int) -> TrainingState:
        """What `_resume` needs after that many epochs."""
        from ._keras.conversion import network_arrays

        score, best_epoch, best = self.best or (None, 0, None)
        return TrainingState(
            epochs=epochs,
            history=self.history,
            weights=self.program.weights(),
            optimizer=self.program.state(),
            best_score=score,
            best_epoch=best_epoch,
            improved_at=self.improved_at,
            best_weights=network_arrays(best) if best else [],
        )

    def network(self) -> Network:
        return self._from_arrays(self.program.weights(), self.job.network)

    def result(self) -> Result:
        stopped = None
        try:
            if not self._epochs(self._epochs_per_call()):
                stopped = "diverged"
        except KeyboardInterrupt:
            stopped = "interrupted"
        result = self._so_far(stopped)
        if self.job.keep_state:
            result.state = OptimizerState(
                self.program.state_owner, self.program.state(), self.program.spec.capacity
            )
        return result

    def _so_far(self, stopped: str | None = None) -> Result:
        """What this run leaves if no epoch follows."""
        best_epoch = self.best[1] if self.best else len(self.history["loss"])
        if stopped == "diverged" and self.best is None:
            best_epoch -= 1
        history = {name: list(values) for name, values in self.history.items()}
        return Result(self._kept_network(stopped), history, best_epoch, None, stopped)

    def _kept_network(self, stopped: str | None) -> Network:
        if self.best is not None and self.job.settings.early_stopping:
            return self.best[2]
        if stopped == "interrupted" and self.last_good is not None:
            # The weights of the last epoch in the history, without a part of the next one.
            return self.last_good
        if stopped != "diverged":
            return self.network()
        if self.last_good is None or not self._predicts(self.last_good):
            raise TrainingDivergedError(
                f"Got a loss of {self.history['loss'][-1]} in epoch {len(self.history['loss'])}, "
                "expected finite losses and weights: training diverged. Try a learning_rate below "
                f"{self.peak_rate:.3g}, scaled X, or optimizer_params={{'clipnorm': 1.0}}."
            )
        return self.last_good

    def _predicts(self, network: Network) -> bool:
        """Whether weights on their way to infinity still give finite answers."""
        with np.errstate(over="ignore", invalid="ignore"):
            return bool(np.isfinite(network.logits(self.job.rows.X[:256])).all())

    def _epochs(self, per_call: int) -> bool:
        """Run the epochs; False where the loss stopped being finite."""
        orders = row_order(self.job, self.first_epoch)
        self.hooks.begin_training(float(self.rates[0]))
        epoch, finite, checkpoint = self.first_epoch, True, self.job.checkpoint
        while epoch < self.job.epochs:
            n_epochs = min(per_call, self.job.epochs - epoch)
            self._begin(epoch)
            finite = self._record(*self._call(epoch, [next(orders) for _ in range(n_epochs)]))
            if not finite and per_call > 1:
                # The same again one by one finds the epoch, and the weights of the one before.
                self._start()
                return self._epochs(1)
            if not finite:
                break
            epoch += n_epochs
            if self._end(epoch - 1):
                break
            if checkpoint is not None and epoch < self.job.epochs and checkpoint.due():
                checkpoint.write(partial(self._state, epoch))
        self.hooks.end_training()
        return finite

    def _epochs_per_call(self) -> int:
        """How many epochs one call may run, 1 where somebody looks at each or rows are streamed."""
        job = self.job
        if job.observer is not None or job.validation is not None or self.hooks.active:
            return 1
        if streamed(job.rows.X):
            return 1
        per_row = 6 * sum(k.size for k in job.network.kernels)
        per_row += 2 * sum(k.size for k in job.teacher.kernels) if job.teacher else 0
        by_work = FLOP_PER_CALL / (per_row * len(job.rows))
        by_room = self.program.spec.steps_capacity // self.n_steps
        return max(1, min(int(by_work), by_room))

    def _begin(self, epoch: int) -> None:
        if self.job.observer is not None:
            self.job.observer.begin_epoch(epoch)
        self.hooks.begin_epoch(epoch)

    def _call(self, epoch: int, orders: list[Array]) -> tuple[Array, Array]:
        """Train whole epochs in the given orders.

        Returns the mean loss and accuracy of each epoch, and each one's last learning rate.
        """
        spec, n_steps, n_rows = self.program.spec, self.n_steps, len(self.job.rows)
        # The epoch of streamed rows is longer than the program's own matrix.
        n_places = max(spec.steps_capacity, n_steps * len(orders))
        order = np.zeros((n_places, spec.batch_size), dtype=np.int32)
        rates = np.zeros(n_places, dtype=np.float32)
        for i, rows in enumerate(orders):
            order[i * n_steps : (i + 1) * n_steps].reshape(-1)[:n_rows] = rows
        n, seen = n_steps * len(orders), n_rows
        rates[:n] = self.hooks.learning_rates(self.rates[epoch * n_steps : epoch * n_steps + n])
        if self.hooks.sees_batches:
            sums, seen = self.hooks.run_batches(self.program, self.data, order, rates, n_steps)
        else:
            sums = self.program.run(self.data, order, rates, 0, n, n_steps)
        per_epoch = sums[:n].astype(np.float64).reshape(len(orders), n_steps, 2).sum(axis=1)
        return per_epoch / seen, rates[n_steps - 1 : n : n_steps]

    def _record(self, means: Array, rates: Array) -> bool:
        """Append the epochs' figures to the history; False where one is not finite."""
        network = self.network()
        finite = bool(np.isfinite(means).all()) and network.is_finite()
        figures = {
            "loss": means[:, 0].tolist(),
            "accuracy": means[:, 1].tolist(),
            "learning_rate": rates.tolist(),
        }
        if self.job.validation is not None:
            figures |= {"val_loss": [np.nan], "val_accuracy": [np.nan]}
            if finite:
                figures |= self._validate(network)
        for name, values in figures.items():
            self.history[name] += values
        if finite:
            self.last_good = network
        return finite

    def _validate(self, network: Network) -> dict[str, list[float]]:
        """Loss and accuracy on the validation rows; keeps the network if it is the best yet."""
        rows, settings = self.job.validation, self.job.settings
        assert rows is not None
        # Weights that grow without bound are told of by the training loss.
        with np.errstate(over="ignore", invalid="ignore"):
            logits = network.logits(rows.X)
            losses = cross_entropy(logits, rows.y, settings.label_smoothing)
        penalty = sum(
            l2 * float(np.square(kernel, dtype=np.float64).sum())
            for l2, kernel in zip(settings.l2, network.kernels, strict=False)
            if l2
        )
        score = float(np.average(logits.argmax(axis=1) == rows.y, weights=rows.weights))
        loss = float(np.average(losses, weights=rows.weights)) + penalty
        epoch = len(self.history["loss"]) + 1
        if self.best is None or score > self.best[0][0]:
            self.improved_at = epoch
        if self.best is None or (score, -loss) > self.best[0]:
            self.best = ((score, -loss), epoch, network)
        return {"val_loss": [loss], "val_accuracy": [score]}

    def _end(self, epoch: int) -> bool:
        """Tell everybody that an epoch has ended; True where training is to stop."""
        logs = {name: values[-1] for name, values in self.history.items()}
        stop = self.hooks.end_epoch(epoch, logs)
        if self.job.observer is not None:
            stop |= self.job.observer.end_epoch(epoch, logs, self._so_far)
        settings = self.job.settings
        if settings.early_stopping:
            stop |= epoch + 1 - self.improved_at >= settings.n_iter_no_change
        return stop
