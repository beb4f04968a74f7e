"""Progress of training and of searches on the terminal."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from .console import percent

_BAR_WIDTH = 24


class _TimeColumn(TimeRemainingColumn):
    """The remaining time, and at the end the elapsed time."""

    def render(self, task: Task) -> Text:
        time = super().render(task)
        return time if task.finished else time.append(" left")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=_BAR_WIDTH),
        TextColumn("{task.fields[figures]}"),
        _TimeColumn(elapsed_when_finished=True),
        console=console,
    )


class EpochBar:
    """A scikit-learn callback that shows epoch, loss, validation accuracy and remaining time.

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
        self._task = self._progress.add_task("Starting Keras", total=self._total, figures="")

    def teardown(self, estimator: Any, context: Any) -> None:
        self._progress.stop()

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        # The first task begins after the checks of parameters and data.
        if context.task_name != "epoch":
            # Starts the backend, which is no part of the training time.
            import skdigits._keras  # noqa: F401

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
    """A scikit-learn callback that shows how many fits of a search are done.

    Fits in other processes are not counted.
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
