"""Models from files and the packaged network; saving without losing a trained model."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from .errors import CommandError, as_command_error, one_line
from .paths import existing_file

PRETRAINED = "pretrained"
N_PIXELS = 784


def load_model(model: str | Path | None) -> Any:
    """Load a model; None and "pretrained" give the packaged network."""
    if model is None or (str(model) == PRETRAINED and not Path(model).exists()):
        from skdigits._pretrained import load_pretrained

        return load_pretrained()
    existing_file(model)
    from skdigits import load

    with as_command_error(OSError, ValueError):
        return load(model)


def load_classifier(model: str | Path | None) -> Any:
    """Load a classifier of rows of 784 pixels.

    Of a pipeline for pictures, which begins with DigitImageNormalizer, the steps after it are
    returned: the commands read pictures with the same function.
    """
    classifier = load_model(model)
    if not hasattr(classifier, "predict_proba"):
        name = type(classifier).__name__
        raise CommandError(f"Got a {name} in {model}, expected a classifier.")
    steps = getattr(classifier, "steps", [])
    if len(steps) > 1 and type(steps[0][1]).__name__ == "DigitImageNormalizer":
        classifier = classifier[1:]
    n_features = getattr(classifier, "n_features_in_", N_PIXELS)
    if n_features != N_PIXELS:
        raise CommandError(
            f"Got a classifier of {n_features} features in {model}, expected one of the "
            f"{N_PIXELS} pixels of 28 × 28."
        )
    return classifier


def save_model(model: Any, output: Path) -> None:
    """Save a model; if that fails, save it in another folder and say where.

    Raises
    ------
    CommandError
        If `output` cannot be written. The message names the file that has the model.
    """
    from skdigits import save

    try:
        save(model, output)
    except OSError as error:
        reason = one_line(error)
    else:
        return
    for folder in (tempfile.gettempdir(), Path.home()):
        path = Path(folder, f"{output.stem}-{token_hex(4)}{output.suffix}")
        with suppress(OSError):
            save(model, path)
            raise CommandError(f"{reason}. The trained model was saved as {path} instead.")
    raise CommandError(f"{reason}. The model could not be saved in another folder either.")
