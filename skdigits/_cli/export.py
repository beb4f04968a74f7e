"""``skdigits export``."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from shutil import copyfileobj
from typing import Any, BinaryIO

from skdigits import DigitANNClassifier, PixelScaler
from skdigits._atomic import write_atomically
from skdigits._export.html_page import export_html
from skdigits._text import printable
from skdigits.onnx import export as export_to_onnx

from .console import result_console
from .errors import CommandError, as_command_error
from .models import load_model
from .paths import check_outputs

_FORMATS = {".onnx": "ONNX model", ".keras": "Keras model", ".html": "HTML page"}


def export(model: str, output: Path, dtype: str | None) -> None:
    """Convert a classifier to the format of the output's suffix."""
    suffix = output.suffix.lower()
    check_outputs(output, inputs=[model])
    if suffix not in _FORMATS:
        raise CommandError(f"Got {output}, expected a name that ends with {', '.join(_FORMATS)}.")
    if dtype is not None and suffix != ".onnx":
        raise CommandError(f"Got --dtype {dtype} with {output}, expected it for ONNX only.")
    classifier = load_model(model)
    with as_command_error(ImportError, OSError, TypeError, ValueError):
        if suffix == ".onnx":
            export_to_onnx(classifier, output, dtype=dtype)
        elif suffix == ".html":
            export_html(classifier, output)
        else:
            write_atomically(output, partial(_write_keras, classifier))
    console = result_console()
    console.print(f"{_FORMATS[suffix]} saved: {printable(output)}")
    if suffix == ".onnx":
        n_features = classifier.n_features_in_
        console.print(f"Input X: {n_features} columns. Outputs: label, probabilities")


def _write_keras(classifier: Any, file: BinaryIO) -> None:
    """Write a Keras model with the scaling of the pipeline as its first layer."""
    steps = [step for _, step in getattr(classifier, "steps", [("ann", classifier)])]
    scaled = len(steps) == 2 and isinstance(steps[0], PixelScaler)
    if not isinstance(steps[-1], DigitANNClassifier) or len(steps) > 1 + scaled:
        names = ", ".join(type(step).__name__ for step in steps)
        raise CommandError(
            f"Got {names}, expected a DigitANNClassifier, alone or after a PixelScaler."
        )
    model = steps[-1].keras_model_
    # Imported after the model, which starts the backend without its messages.
    import keras

    if scaled:
        first = keras.Input((model.input_shape[-1],))
        model = keras.Sequential([first, keras.layers.Rescaling(1 / 255), model])
    # Keras writes only to paths that end with its suffix.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        model.save(path)
        with path.open("rb") as saved:
            copyfileobj(saved, file)
