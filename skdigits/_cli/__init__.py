"""The command line.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from .arguments import Refusal, one_line

# The exit status of a process that Ctrl-C ended, as shells give it.
INTERRUPTED = 130

DATA_HELP = "sample, mnist, fashion, or a .csv or .npz file of digits."

Data = Annotated[str, typer.Option(metavar="DATA", help=DATA_HELP)]
# The names are those of skdigits.presets, which would take seconds to ask.
PRESET_HELP = (
    "default, fast, accurate, record, fashion, dense-128-64, regularized-128-64-32, two-hidden, "
    "relu-softmax or basic-one-hot."
)

Preset = Annotated[str, typer.Option(metavar="NAME", help=PRESET_HELP)]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PARAM=VALUE",
        help="A parameter of the classifier, such as epochs=5. Repeatable.",
    ),
]
Seed = Annotated[
    int, typer.Option(metavar="N", min=0, max=2**32 - 1, help="Seed of everything random.")
]

app = typer.Typer(
    help="Train and try classifiers of handwritten digits.",
    no_args_is_help=True,
    add_completion=False,
    # A fault of the program is shown as Python shows it.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let imports go without garbage collection, which would take a tenth of their time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Interrupted(BaseException):
    """Somebody pressed Ctrl-C.

    A KeyboardInterrupt would not do: `fit` takes that as a wish to stop training, keeps what it
    has, and a search would go on with its next candidate.
    """


def _print_version(wanted: bool) -> None:
    if wanted:
        from skdigits import __version__

        print(f"skdigits {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    pass


@app.command("train")
def _train(
    data: Data = "sample",
    preset: Preset = "default",
    settings: Settings = None,
    output: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The fitted pipeline; the learning curves go beside it."),
    ] = Path("digits.skdigits"),
    seed: Seed = 0,
) -> None:
    """Train a classifier, show how good it is and save it."""
    from .train import train

    train(data, preset, settings or [], output, seed)


@app.command("evaluate")
def _evaluate(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A file that train or tune saved.")
    ],
    data: Data = "sample",
    output: Annotated[
        Path | None,
        typer.Option(help="The picture of the worst mistakes.", show_default="MODEL-mistakes.png"),
    ] = None,
) -> None:
    """Show in detail how good a saved classifier is on test digits."""
    from .evaluate import evaluate

    evaluate(model, data, output)


@app.command("tune")
def _tune(
    data: Data = "sample",
    grid: Annotated[
        str,
        typer.Option(
            metavar="GRID", help="small (8 candidates), medium (36), or a .toml file of lists."
        ),
    ] = "small",
    preset: Preset = "default",
    settings: Settings = None,
    cv: Annotated[int, typer.Option(metavar="N", min=2, help="Folds of the cross-validation.")] = 3,
    jobs: Annotated[
        int, typer.Option(metavar="N", help="Fits at a time, -1 for one per core.")
    ] = 1,
    output: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="The best pipeline; the table of results goes beside it."
        ),
    ] = Path("tuned.skdigits"),
    seed: Seed = 0,
) -> None:
    """Search a grid of parameters, rank them and save the best classifier."""
    from .tune import tune

    tune(data, grid, preset, settings or [], cv, jobs, output, seed)


@app.command("predict")
def _predict(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Picture files, folders of them, or patterns."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A file that train or tune saved.", show_default="pretrained"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    explain: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Save what the network saw of each picture."),
    ] = None,
    number: Annotated[
        bool,
        typer.Option("--number", help="Read a line of several digits from each picture."),
    ] = False,
) -> None:
    """Read handwritten digits from pictures; 1 is the exit code where some could not be read."""
    if as_json and as_csv:
        raise Refusal("Got --json and --csv, expected one of them.")
    form = "json" if as_json else "csv" if as_csv else "text"
    with _uncollected():
        if number:
            from .numbers import predict_numbers as read
        else:
            from .predict import predict as read
    raise typer.Exit(read(images, model, form, explain))


@app.command("draw")
def _draw(
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A file that train or tune saved.", show_default="pretrained"
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="Where to listen; 0.0.0.0 lets other computers in as well."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=65535,
            help="The port; 0 takes any that is free.",
            show_default="the first free one from 7860 on",
        ),
    ] = None,
    browser: Annotated[
        bool | None,
        typer.Option(
            "--browser/--no-browser",
            help="Open the page in the browser.",
            show_default="where there is a screen",
        ),
    ] = None,
) -> None:
    """Draw digits on a page in the browser and see how they are read."""
    from .draw import draw

    draw(model, host, port, browser)


@app.command("export")
def _export(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="A file that train or tune saved, or pretrained."),
    ],
    output: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help="An ONNX file, or an HTML page such as digits.html."),
    ],
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="Type of the ONNX input: float32, float64 or uint8.",
            show_default="that of the network",
        ),
    ] = None,
) -> None:
    """Convert a classifier to ONNX, or to one HTML page on which digits are drawn and read."""
    from .export import export

    export(model, output, dtype)


def main(args: list[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    args : list of str, default=None
        Arguments without the program's name; None takes those of the process.

    Raises
    ------
    SystemExit
        With 0 after success, with 2 and one line on stderr where the arguments or the files they
        name can't be used, with 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        # What a terminal's encoding doesn't have is no reason to stop.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    with warnings.catch_warnings(), _interruptible():
        warnings.showwarning = _show_warning
        try:
            status = app(args, standalone_mode=False) or 0
        except Interrupted:
            status = _refused("Interrupted.", INTERRUPTED)
        except Refusal as error:
            status = _refused(f"Error: {error}", 2)
        except Exception as error:
            # typer's own refusals, whose class has been in different places.
            if not hasattr(error, "format_message"):
                raise
            text = one_line(error.format_message()) + _meant(error)
            status = _refused(f"Error: {text}" if text else "", 2)
    if args is None and "tensorflow" in sys.modules and status == INTERRUPTED:
        _leave(status)
    if args is None and "tensorflow" not in sys.modules:
        # The process ends, and need not look for what it could give back before.
        gc.freeze()
    sys.exit(status)


def _leave(status: int) -> None:
    """End the process at once, with whatever threads of a search still train.

    An orderly end would take the interpreter away beneath them, and now and then crash.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _meant(error: Any) -> str:
    """For an option that there isn't, the parameter of the classifier that it is called like."""
    name = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    context = getattr(error, "ctx", None)
    if not name or context is None or context.info_name not in ("train", "tune"):
        return ""
    from skdigits import DigitANNClassifier

    from .arguments import settable

    known = name in settable(DigitANNClassifier())
    return f". Did you mean --set {name}=VALUE?" if known else ""


def _refused(line: str, status: int) -> int:
    if line:
        print(line, file=sys.stderr)
    return status


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end whatever runs."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"Warning: {one_line(message)}", file=sys.stderr)
