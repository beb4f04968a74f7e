"""Classifiers from --preset and --set."""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .errors import CommandError, as_command_error, unknown_choice

if TYPE_CHECKING:
    from skdigits import DigitANNClassifier


def make_classifier(preset: str, settings: list[str], seed: int) -> DigitANNClassifier:
    """Return an unfitted classifier: a preset with some parameters changed."""
    from skdigits import DigitANNClassifier, make_reference_classifier
    from skdigits.presets import PRESETS

    if preset not in ("default", *PRESETS):
        raise unknown_choice(f"--preset {preset}", preset, ["default", *PRESETS])
    named = preset != "default"
    classifier = make_reference_classifier(preset) if named else DigitANNClassifier()
    params = _parsed(settings, settable(classifier))
    return classifier.set_params(**params, random_state=seed)


def settable(classifier: DigitANNClassifier) -> list[str]:
    """Names of the parameters that --set accepts."""
    return sorted({*classifier.get_params(deep=False)} - {"keras_callbacks", "random_state"})


def check_parameters(classifier: DigitANNClassifier, X: Any, y: Any) -> None:
    """Run the checks of `fit`, without its training.

    A wrong value is thus reported before TensorFlow is imported, which takes seconds, and in a
    search before the first candidate is trained.
    """
    from sklearn.base import clone

    trial = clone(classifier).set_callbacks(_StopBeforeTraining())
    with suppress(_ChecksPassed), as_command_error(ValueError, TypeError):
        trial.fit(X, y)


class _ChecksPassed(Exception):
    """The parameters and the data are valid."""


class _StopBeforeTraining:
    """A scikit-learn callback that ends `fit` after its checks."""

    def setup(self, estimator: Any, context: Any) -> None:
        pass

    def teardown(self, estimator: Any, context: Any) -> None:
        pass

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        raise _ChecksPassed

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        pass


def _parsed(settings: list[str], known: list[str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not name:
            raise CommandError(
                f"Got --set {setting}, expected PARAM=VALUE, such as --set epochs=5."
            )
        if name == "random_state":
            raise CommandError(f"Got --set {setting}, expected --seed {value}.")
        if name not in known and not name.startswith("optimizer__"):
            raise unknown_choice(f"--set {setting}", name, known)
        params[name] = _value(value)
    return params


def _value(text: str) -> Any:
    """Return a Python literal, or the text itself, so that names need no quotes."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text
