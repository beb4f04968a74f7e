"""From parameters to a compiled Keras model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from scikeras.wrappers import KerasClassifier

KERAS_ACTIVATIONS = {"logistic": "sigmoid", "identity": "linear"}


@dataclass(frozen=True)
class Architecture:
    """The layers of a network and what regularises them.

    dropout and l2 have one entry per hidden layer.
    """

    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    n_classes: int
    activation: str
    dropout: tuple[float, ...]
    l2: tuple[float, ...]
    batch_norm: bool
    dtype: str


@dataclass(frozen=True)
class OptimizerSpec:
    """A Keras optimizer's class with its options, read once from what the user gave.

    `learning_rate` is an instance's own, None for a name or a class.
    """

    cls: Any
    options: tuple[tuple[str, Any], ...]
    learning_rate: float | None
    from_instance: bool

    @classmethod
    def read(cls, optimizer: Any, params: dict[str, Any]) -> OptimizerSpec:
        """From a name, a class or an instance, with options that override its own."""
        rate = None
        is_instance = isinstance(optimizer, keras.optimizers.Optimizer)
        if is_instance:
            config = optimizer.get_config()
            if isinstance(config.get("learning_rate"), dict):
                raise ValueError(
                    "Got an optimizer with a Keras LearningRateSchedule, expected one with a "
                    "number: use the parameter learning_rate_schedule or a LearningRateScheduler "
                    "in keras_callbacks."
                )
            config.pop("name", None)
            rate = config.pop("learning_rate", None)
            params = config | params
        if params.get("use_ema"):
            raise ValueError(
                "Got an optimizer with use_ema=True, expected weight_averaging=True or a decay: "
                "it averages batch normalisation's statistics too."
            )
        found = type(optimizer) if is_instance else _optimizer_class(optimizer)
        return cls(found, tuple(sorted(params.items())), rate, is_instance)

    def key(self) -> tuple[Any, ...]:
        """What tells two specs apart once they are compiled; the learning rate is fed later."""
        return (self.cls, self.from_instance, tuple((k, repr(v)) for k, v in self.options))


def _optimizer_class(optimizer: Any) -> type:
    if isinstance(optimizer, type):
        return optimizer
    known = {
        name.lower(): value
        for name, value in vars(keras.optimizers).items()
        if isinstance(value, type)
        and issubclass(value, keras.optimizers.Optimizer)
        and name not in ("Optimizer", "LossScaleOptimizer")
    }
    if optimizer.lower() not in known:
        raise ValueError(
            f"Got optimizer={optimizer!r}, expected a Keras optimizer's class, instance or name: "
            f"{', '.join(sorted(known))}."
        )
    return known[optimizer.lower()]


def dense_model(architecture: Architecture) -> Any:
    """An unfitted Keras model of these layers, its output the logits.

    Nothing is drawn at random here: weights are 0 until they are assigned.
    """
    a = architecture
    activation = KERAS_ACTIVATIONS.get(a.activation, a.activation)
    layers: list[Any] = [keras.Input((a.n_features,), dtype=a.dtype)]
    for i, (width, rate, l2) in enumerate(zip(a.hidden_layer_sizes, a.dropout, a.l2, strict=True)):
        layers.append(
            keras.layers.Dense(
                width,
                activation=None if a.batch_norm else activation,
                kernel_initializer="zeros",
                kernel_regularizer=keras.regularizers.L2(l2) if l2 else None,
                dtype=a.dtype,
            )
        )
        if a.batch_norm:
            layers.append(keras.layers.BatchNormalization(dtype=a.dtype))
            layers.append(keras.layers.Activation(activation, dtype=a.dtype))
        if rate:
            layers.append(keras.layers.Dropout(rate, seed=i, dtype=a.dtype))
    layers.append(keras.layers.Dense(a.n_classes, kernel_initializer="zeros", dtype=a.dtype))
    return keras.Sequential(layers)


def compiled_model(
    architecture: Architecture, optimizer: OptimizerSpec, label_smoothing: float
) -> Any:
    """A Keras model compiled by SciKeras, its output the logits, its targets one-hot.

    Its loss gives one value per row, so that the caller can weight rows.
    """
    a, options = architecture, dict(optimizer.options)

    def build(compile_kwargs: dict[str, Any]) -> Any:
        model = dense_model(a)
        model.compile(**compile_kwargs, jit_compile=False)
        return model

    try:
        # Only from_config understands what an instance's configuration may nest.
        chosen = optimizer.cls.from_config(options) if optimizer.from_instance else optimizer.cls
        routed = {} if optimizer.from_instance else options
        wrapper = KerasClassifier(
            model=build,
            optimizer=chosen,
            loss=keras.losses.CategoricalCrossentropy,
            loss__from_logits=True,
            loss__label_smoothing=label_smoothing,
            loss__reduction="none",
            loss__dtype=a.dtype,
            **{f"optimizer__{name}": value for name, value in routed.items()},
        )
        # SciKeras reads shapes and classes from rows; their values don't matter.
        rows = np.zeros((a.n_classes, a.n_features), a.dtype)
        model = wrapper.initialize(rows, np.arange(a.n_classes)).model_
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Got the optimizer {optimizer.cls.__name__} with the options {options!r}, expected "
            f"options that it takes. Keras says: {error}"
        ) from error
    model.optimizer.build(model.trainable_variables)
    return model
