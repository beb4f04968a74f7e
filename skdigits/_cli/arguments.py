"""What the user gave, checked."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skdigits import DigitANNClassifier


class Refusal(Exception):
    """What the user gave can't be used; the text is one line that says why."""


def one_line(message: object) -> str:
    """Text without line breaks."""
    return " ".join(str(message).split())


@contextmanager
def refusing(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors that name the user's mistake into refusals."""
    try:
        yield
    except errors as error:
        raise Refusal(one_line(error)) from error


def expected_one_of(received: str, name: str, choices: Iterable[str]) -> Refusal:
    """The refusal of a name that isn't known."""
    choices = list(choices)
    near = get_close_matches(name, choices, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return Refusal(f"Got {received}, expected one of {', '.join(choices)}.{hint}")


def chosen_classifier(preset: str, settings: list[str], seed: int) -> DigitANNClassifier:
    """An unfitted classifier of a preset with some parameters set."""
    from skdigits import DigitANNClassifier, make_reference_classifier
    from skdigits.presets import PRESETS

    if preset not in ("default", *PRESETS):
        raise expected_one_of(f"--preset {preset}", preset, ["default", *PRESETS])
    named = preset != "default"
    classifier = make_reference_classifier(preset) if named else DigitANNClassifier()
    params = _parsed(settings, settable(classifier))
    return classifier.set_params(**params, random_state=seed)


def settable(classifier: DigitANNClassifier) -> list[str]:
    """Parameters that can be written down and have no option of their own."""
    return sorted({*classifier.get_params(deep=False)} - {"keras_callbacks", "random_state"})


def check_parameters(classifier: DigitANNClassifier, X: Any, y: Any) -> None:
    """Refuse wrong values before training, in the words of `fit`, which is only begun."""
    from sklearn.base import clone

    rehearsal = clone(classifier).set_callbacks(_StopBeforeTraining())
    with suppress(_GoodSoFar), refusing(ValueError, TypeError):
        rehearsal.fit(X, y)


class _GoodSoFar(Exception):
    """Parameters and data have been found good."""


class _StopBeforeTraining:
    """A scikit-learn callback that ends `fit` when its checks are over."""

    def setup(self, estimator: Any, context: Any) -> None:
        pass

    def teardown(self, estimator: Any, context: Any) -> None:
        pass

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        raise _GoodSoFar

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        pass


def _parsed(settings: list[str], known: list[str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for setting in settings:
        name, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not name:
            raise Refusal(f"Got --set {setting}, expected PARAM=VALUE, such as --set epochs=5.")
        if name == "random_state":
            raise Refusal(f"Got --set {setting}, expected --seed {value}.")
        if name not in known and not name.startswith("optimizer__"):
            raise expected_one_of(f"--set {setting}", name, known)
        params[name] = _value(value)
    return params


def _value(text: str) -> Any:
    """A Python literal, or else the text itself, so that names need no quotes."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def existing_file(option: str, path: str | Path) -> Path:
    """A path where there is a file to read."""
    if not Path(path).is_file():
        raise Refusal(f"Got {option} {path}, expected a file that is there.")
    return Path(path)


def beside(path: Path, ending: str) -> Path:
    """The name of a file that belongs to another one."""
    if not path.name:
        raise Refusal(f"Got {path} to write to, expected a file or a new name.")
    return path.with_name(path.stem + ending)


def check_outputs(*paths: Path, inputs: Iterable[str | Path] = ()) -> None:
    """Find out before the work whether its results can be written.

    Raises
    ------
    Refusal
        If a path is a folder, or its folder isn't there or can't be written, or if it is one of
        the inputs.
    """
    taken = {Path(given).resolve() for given in inputs}
    for path in paths:
        if path.exists() and not path.is_file():
            raise Refusal(f"Got {path} to write to, expected a file or a new name.")
        if path.resolve() in taken:
            raise Refusal(f"Got {path} to write to, expected another file than the one to read.")
        try:
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise Refusal(
                f"Got {path} to write to, expected a folder that can be written: "
                f"{path.parent.absolute()}: {error.strerror}."
            ) from error
