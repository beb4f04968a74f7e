"""What the user sees."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import get_terminal_size
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from skdigits._atomic import write_atomically

from .arguments import refusing
from .quiet import import_tensorflow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]

_RAMP = " .:-=+*#%@"
_BAR_WIDTH = 24


def result_console() -> Console:
    """Where results go: standard output."""
    # In a narrower terminal a table's lines are better broken than its numbers.
    width = max(get_terminal_size().columns, 80)
    return Console(width=width, markup=False, highlight=False, soft_wrap=True)


def progress_console() -> Console:
    """Where it is told what is going on: standard error."""
    return Console(stderr=True, markup=False, highlight=False)


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table of right-aligned columns."""
    empty = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        empty.add_column(column, justify="right", overflow="fold")
    return empty


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=_BAR_WIDTH),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
        console=console,
    )


class EpochBar:
    """A scikit-learn callback that shows epochs, loss and validation accuracy as they come.

    Attributes
    ----------
    seconds : float
        How long training took, without the import of TensorFlow.
    """

    def __init__(self, console: Console) -> None:
        self._progress = _progress(console)
        self.seconds = 0.0

    def setup(self, estimator: Any, context: Any) -> None:
        self._total = context.max_subtasks
        self._progress.start()
        self._task = self._progress.add_task("Starting TensorFlow", total=self._total, figures="")

    def teardown(self, estimator: Any, context: Any) -> None:
        self._progress.stop()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        # The first task begins when parameters and data have been found good.
        if context.task_name != "epoch":
            import_tensorflow()
            self._start = perf_counter()

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> None:
        if context.task_name != "epoch":
            self.seconds = perf_counter() - self._start
            # Early stopping ends before the last epoch.
            self._progress.update(self._task, total=1, completed=1)
            return
        history = fitted_estimator.history_
        figures = f"loss {history['loss'][-1]:.4f}"
        if "val_accuracy" in history:
            figures += f"  validation accuracy {percent(history['val_accuracy'][-1])}"
        epoch = len(history["loss"])
        description = f"Epoch {epoch}/{self._total}"
        self._progress.update(self._task, completed=epoch, description=description, figures=figures)


class FitBar:
    """A scikit-learn callback that counts the fits of a search.

    It isn't told of fits in other processes.
    """

    def __init__(self, console: Console, n_fits: int) -> None:
        self._progress = _progress(console)
        self._n_fits = n_fits

    def setup(self, estimator: Any, context: Any) -> None:
        self._progress.start()
        self._task = self._progress.add_task("Searching", total=self._n_fits, figures="")

    def teardown(self, estimator: Any, context: Any) -> None:
        self._progress.stop()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        pass

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        if context.task_name in ("candidate-split-evaluation", "refit-with-best-params"):
            self._progress.advance(self._task)
            done = int(self._progress.tasks[0].completed)
            self._progress.update(self._task, description=f"Fit {done}/{self._n_fits}")


def digit_picture(image: Array, console: Console) -> Text:
    """A digit for the terminal: two rows of pixels in each line."""
    upper, lower = image[::2].astype(int), image[1::2].astype(int)
    picture = Text(no_wrap=True)
    shades = console.color_system in ("256", "truecolor") and not console.options.ascii_only
    for bright, dark in zip(upper, lower, strict=True):
        for a, b in zip(bright, dark, strict=True):
            if shades:
                picture.append("▀", style=f"rgb({a},{a},{a}) on rgb({b},{b},{b})")
            else:
                picture.append(_RAMP[(a + b) * (len(_RAMP) - 1) // 510])
        picture.append("\n")
    return picture


def probability_bars(classes: Array, probabilities: Array, console: Console) -> Text:
    """One bar per class, the largest in bold."""
    mark = "#" if console.options.ascii_only else "█"
    width = max(len(str(label)) for label in classes)
    bars = Text(no_wrap=True)
    for label, probability in zip(classes, probabilities, strict=True):
        bar = mark * round(_BAR_WIDTH * probability)
        style = "bold" if probability == probabilities.max() else ""
        bars.append(
            f"{label!s:>{width}} {bar:<{_BAR_WIDTH}} {percent(probability):>8}\n", style=style
        )
    return bars


def write_picture(
    path: Path, size: tuple[float, float], draw: Callable[[Figure], Any], console: Console
) -> None:
    """Draw on a figure without any window and save that; without matplotlib say what is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        console.print(
            f"No picture {path}: matplotlib is not installed, pip install 'skdigits[plot]' "
            "installs it."
        )
        return
    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    with refusing(OSError):
        write_atomically(path, partial(figure.savefig, format="png", dpi=120))
    console.print(f"Picture saved: {path}")
