"""From parameters to a compiled Keras model."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf
from scikeras.wrappers import KerasClassifier

KERAS_ACTIVATIONS = {"logistic": "sigmoid", "identity": "linear"}

# Keras keeps the names and scopes of the model under construction in globals.
BUILD_LOCK = threading.Lock()


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
    """A Keras optimizer by name, class or instance, with options that override its own.

    An instance is only read: its configuration makes a new one.
    """

    optimizer: Any
    params: dict[str, Any] = field(default_factory=dict)

    def key(self) -> tuple[Any, ...]:
        """What tells two specs apart once they are compiled; the learning rate is fed later."""
        params = tuple(sorted((k, repr(v)) for k, v in self.params.items()))
        if isinstance(self.optimizer, keras.optimizers.Optimizer):
            config = self.optimizer.get_config()
            frozen = {k: repr(v) for k, v in config.items() if k not in ("learning_rate", "name")}
            return (type(self.optimizer), tuple(sorted(frozen.items())), params)
        return (self.optimizer, params)


class FastDropout(keras.layers.Dropout):
    """Keras' dropout with its mask from a generator that compiles to fast code.

    TensorFlow's automatic choice of algorithm is some twenty times slower inside a compiled
    loop than Threefry.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        seed = tf.cast(self.seed_generator.next(), tf.int32)
        # Outside of compiled programs processors don't offer Threefry.
        algorithm = "threefry" if tf.inside_function() else "auto_select"
        noise = tf.random.stateless_uniform(tf.shape(inputs), seed, alg=algorithm)
        keep = tf.cast(noise >= self.rate, inputs.dtype)
        return inputs * keep / (1 - self.rate)


def dense_model(architecture: Architecture, *, dropout_layer: type = keras.layers.Dropout) -> Any:
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
            layers.append(dropout_layer(rate, seed=i, dtype=a.dtype))
    layers.append(keras.layers.Dense(a.n_classes, kernel_initializer="zeros", dtype=a.dtype))
    return keras.Sequential(layers)


def _scikeras_optimizer(spec: OptimizerSpec) -> tuple[Any, dict[str, Any]]:
    """What to hand to SciKeras as its optimizer and as routed options of it."""
    if isinstance(spec.optimizer, keras.optimizers.Optimizer):
        config = spec.optimizer.get_config() | spec.params
        if isinstance(config.get("learning_rate"), dict):
            raise ValueError(
                "Got an optimizer with a Keras LearningRateSchedule, expected one with a number: "
                "use the parameter learning_rate_schedule or a LearningRateScheduler in "
                "keras_callbacks."
            )
        return type(spec.optimizer).from_config(config), {}
    if isinstance(spec.optimizer, str):
        known = {
            name.lower(): value
            for name, value in vars(keras.optimizers).items()
            if isinstance(value, type)
            and issubclass(value, keras.optimizers.Optimizer)
            and name not in ("Optimizer", "LossScaleOptimizer")
        }
        if spec.optimizer.lower() not in known:
            raise ValueError(
                f"Got optimizer={spec.optimizer!r}, expected a Keras optimizer's class, instance "
                f"or name: {', '.join(sorted(known))}."
            )
        return known[spec.optimizer.lower()], spec.params
    return spec.optimizer, spec.params


def compiled_model(
    architecture: Architecture, optimizer: OptimizerSpec, label_smoothing: float
) -> Any:
    """A Keras model compiled by SciKeras, to be trained on logits against one-hot targets.

    Its loss gives one value per row, so that the caller can weight rows.
    """
    chosen, routed = _scikeras_optimizer(optimizer)
    with BUILD_LOCK:
        wrapper = KerasClassifier(
            model=lambda: None,
            optimizer=chosen,
            loss=keras.losses.CategoricalCrossentropy,
            loss__from_logits=True,
            loss__label_smoothing=label_smoothing,
            loss__reduction="none",
            loss__dtype=architecture.dtype,
            **{f"optimizer__{name}": value for name, value in routed.items()},
        )
        try:
            compile_kwargs = wrapper._get_compile_kwargs()
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Got optimizer={optimizer.optimizer!r} with optimizer_params="
                f"{optimizer.params!r}, expected options that this optimizer takes. Keras says: "
                f"{error}"
            ) from error
        model = dense_model(architecture, dropout_layer=FastDropout)
        model.compile(**compile_kwargs, jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    return model
