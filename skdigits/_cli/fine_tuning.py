"""``skdigits train --start-from``."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

from skdigits import fine_tune
from skdigits._text import printable

from .console import percent, result_console
from .data import load_training_and_test
from .errors import CommandError, as_command_error
from .models import load_model, save_model
from .paths import check_outputs
from .train import print_next, print_test


def train_further(start: str, data: str, label_column: str | None, output: Path, seed: int) -> None:
    """Fine-tune a model, save the result and report its accuracy before and after."""
    check_outputs(output, inputs=[data, start])
    model = load_model(start)
    training, test, origin = load_training_and_test(data, seed, label_column)
    console = result_console()
    console.print(f"Data: {printable(origin)}")
    console.print(f"Fine-tuning {printable(start)} on {len(training.y):,} digits")
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught, as_command_error(TypeError, ValueError):
        warnings.simplefilter("always", UserWarning)
        tuned = fine_tune(model, training.X, training.y, random_state=seed)
    for warning in caught:
        console.print(f"Warning: {warning.message}")
    unknown = sorted(set(test.y) - set(map(str, model.classes_)))
    if unknown:
        raise CommandError(f"Got test digits with the labels {unknown}, which the model lacks.")
    save_model(tuned, output)
    console.print(f"Trained in {time.perf_counter() - started:.1f} s")
    console.print(f"Test accuracy before: {percent(model.score(test.X, test.y))}")
    print_test(tuned, test, console)
    console.print(f"Pipeline saved: {printable(output)}")
    print_next(output, data, console)
