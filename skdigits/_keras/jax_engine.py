"""Training on JAX: an epoch is one XLA program from state to state."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .device_data import PlacedData
from .epoch_program import Arrays, EpochProgram, indices, slot_variables
from .program_spec import ProgramSpec

# Groups that training changes.
CHANGED = ("network", "slots", "averages")


class JaxProgram(EpochProgram):
    """State in JAX arrays, replaced at once when a call of the program has ended.

    It isn't donated to the call: Ctrl-C between the call and its result would leave deleted
    arrays.
    """

    engine, releases = "jax", True

    def __init__(self, spec: ProgramSpec) -> None:
        super().__init__(spec)
        optimizer = self._optimizer
        (self._rate_at,) = indices([optimizer.learning_rate], optimizer.variables)
        (self._done_at,) = indices([optimizer.iterations], slot_variables(optimizer))
        self._compiled = jax.jit(partial(self._steps))

    @classmethod
    def context(cls, dtype: str) -> AbstractContextManager[Any]:
        # Without it JAX computes in float32. The global setting stays as it is.
        return jax.enable_x64(True) if dtype == "float64" else nullcontext()

    @classmethod
    def release_compiled(cls) -> None:
        jax.clear_caches()  # type: ignore[no-untyped-call]
        gc.collect()

    def _hold(self, value: Any) -> Any:
        return jnp.asarray(value if isinstance(value, np.ndarray) else value.value)

    def put(self, group: str, arrays: Arrays) -> None:
        held = zip(self._groups[group], arrays, strict=True)
        new = [jax.device_put(np.array(array, old.dtype)) for old, array in held]
        self._groups = {**self._groups, group: new}

    def get(self, group: str) -> Arrays:
        return [np.array(array) for array in self._groups[group]]

    def place(self, array: np.ndarray) -> Any:
        return jax.device_put(array)

    def uniform(self, shape: tuple[int, ...], seed: Any) -> Any:
        # XLA's own Threefry takes half the time of jax.random's.
        key = jnp.concatenate([seed.astype(jnp.uint32), jnp.zeros(2, jnp.uint32)])
        generator: Any = jax.lax.rng_bit_generator
        bits = generator(key, shape, jnp.uint32, jax.lax.RandomAlgorithm.RNG_THREE_FRY)[1]
        # 23 random bits make a number from 1 to 2.
        from_one = jax.lax.bitcast_convert_type((bits >> 9) | jnp.uint32(0x3F800000), jnp.float32)
        return from_one - 1

    def gather(self, array: Any, index: Any) -> Any:
        return array.at[index].get(mode="promise_in_bounds")

    def _run_steps(
        self, data: PlacedData, order: np.ndarray, rates: np.ndarray, scalars: np.ndarray
    ) -> np.ndarray:
        changed = {name: self._groups[name] for name in CHANGED}
        fixed = {name: held for name, held in self._groups.items() if name not in CHANGED}
        changed, sums = self._compiled(
            changed, fixed, data.X, data.y, data.weights, order, rates, scalars
        )
        sums = np.array(sums)
        self._groups = {**fixed, **changed}
        return sums

    def _steps(
        self,
        changed: dict[str, Any],
        fixed: dict[str, Any],
        X: Any,
        y: Any,
        w: Any,
        order: Any,
        rates: Any,
        scalars: Any,
    ) -> Any:
        start, stop, per_epoch, n_rows = scalars
        batch, dtype = self.spec.batch_size, self.spec.architecture.dtype

        def step(i: Any, carry: Any) -> Any:
            changed, sums = carry
            n_real = jnp.minimum(batch, n_rows - (i % per_epoch) * batch)
            mask = (jnp.arange(batch) < n_real).astype(dtype)
            rows = [self.gather(array, order[i]) for array in (X, y, w)]
            changed, figures = self._train_step({**changed, **fixed}, rows, mask, rates[i])
            return changed, sums.at[i].set(jnp.stack(figures))

        sums = jnp.zeros((self.spec.steps_capacity, 2), dtype)
        return jax.lax.fori_loop(start, stop, step, (changed, sums))

    def _train_step(
        self, state: dict[str, Any], rows: list[Any], mask: Any, rate: Any
    ) -> tuple[dict[str, Any], tuple[Any, Any]]:
        """The state after a step on a batch; its summed loss and number of correct rows."""
        step, optimizer, network = self.step, self._optimizer, list(state["network"])
        done = state["slots"][self._done_at].astype(jnp.int32)
        x, y, w = rows
        x = step.inputs(x, done, state["deformation"])
        targets = step.targets(x, y, state["teacher"])
        noise = step.dropout_noise(state["seeds"], done)

        def scaled_loss(trained: list[Any]) -> Any:
            weights = self._with_trained(network, trained)
            loss, *rest = step.loss(weights, x, targets, w, mask, noise)
            return optimizer.scale_loss(loss), (loss, *rest)

        trained = [network[i] for i in self._trained_at]
        gradients, (loss, logits, statistics) = jax.grad(scaled_loss, has_aux=True)(trained)
        variables = list(state["slots"])
        variables.insert(self._rate_at, rate)
        trained, variables = optimizer.stateless_apply(variables, gradients, trained)
        del variables[self._rate_at]
        network = self._with_trained(network, trained)
        for i, array in zip(step.statistics_indices, statistics, strict=True):
            network[i] = array
        done = variables[self._done_at]
        averages = [
            step.averaged(average, weights, done)
            for average, weights in zip(state["averages"], network, strict=False)
        ]
        changed = {"network": network, "slots": variables, "averages": averages}
        return changed, (loss * mask.sum(), step.correct(logits, y, mask))

    def _with_trained(self, network: list[Any], trained: list[Any]) -> list[Any]:
        """A network with these arrays in the places of the trained ones."""
        network = list(network)
        for i, array in zip(self._trained_at, trained, strict=True):
            network[i] = array
        return network
