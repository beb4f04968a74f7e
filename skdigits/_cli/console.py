"""Results and progress on the terminal, and pictures in files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skdigits._atomic import write_atomically
from skdigits._text import printable

from .errors import as_command_error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray[Any, Any]

_RAMP = " .:-=+*#%@"
_BAR_WIDTH = 24


def result_console() -> Console:
    """Return a console on standard output, for results."""
    # Narrower terminals break the lines of a table, not its numbers.
    width = max(get_terminal_size().columns, 80)
    return Console(width=width, markup=False, highlight=False, soft_wrap=True)


def progress_console() -> Console:
    """Return a console on standard error, for progress and messages."""
    return Console(stderr=True, markup=False, highlight=False)


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table of right-aligned columns."""
    empty = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        empty.add_column(printable(column), justify="right", overflow="fold")
    return empty


def digit_picture(image: Array, console: Console) -> Text:
    """Draw a digit for the terminal: two rows of pixels in each line."""
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
    """Draw one bar per class, the largest in bold."""
    mark = "#" if console.options.ascii_only else "█"
    labels = [printable(label) for label in classes]
    width = max(map(len, labels))
    bars = Text(no_wrap=True)
    for label, probability in zip(labels, probabilities, strict=True):
        bar = mark * round(_BAR_WIDTH * probability)
        style = "bold" if probability == probabilities.max() else ""
        bars.append(
            f"{label:>{width}} {bar:<{_BAR_WIDTH}} {percent(probability):>8}\n", style=style
        )
    return bars


def write_picture(
    path: Path, size: tuple[float, float], draw: Callable[[Figure], Any], console: Console
) -> None:
    """Draw a figure and save it; without matplotlib print which extra is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        console.print(
            f"No picture {printable(path)}: matplotlib is not installed, "
            "pip install 'skdigits[plot]' installs it."
        )
        return
    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    with as_command_error(OSError):
        write_atomically(path, partial(figure.savefig, format="png", dpi=120))
    console.print(f"Picture saved: {printable(path)}")
