"""The commands with their options.

Each command imports its module when it runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .errors import CommandError

Data = Annotated[
    str,
    typer.Option(
        metavar="DATA",
        help=(
            "sample, mnist, fashion, a folder with a folder of pictures for each label, a .csv "
            "file (label and 784 pixels, or path and label; .csv.gz, .zip), or a .npz file."
        ),
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|INDEX",
        help="Label column of a CSV file; INDEX counts from 0, from the end if negative.",
        show_default="label, class or such; the first without a header",
    ),
]
Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A file that train or tune saved, or pretrained."),
]
# The names of skdigits.presets, whose import takes seconds.
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

EXAMPLES = """Examples:

skdigits predict photo.jpg scans/

skdigits train --data digits.csv --output digits.skdigits

skdigits evaluate digits.skdigits --data scans/
"""

app = typer.Typer(
    help="Train classifiers of handwritten digits and read digits from pictures.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    add_completion=False,
    # A fault of the program is shown as an ordinary traceback.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


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
    label_column: LabelColumn = None,
    preset: Preset = "default",
    settings: Settings = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Fine-tune this model, pretrained or a file; without --preset and --set.",
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="The fitted pipeline; the learning curves are saved in the same folder.",
        ),
    ] = Path("digits.skdigits"),
    seed: Seed = 0,
) -> None:
    """Train a classifier, save it and show its accuracy."""
    if start_from is not None:
        if settings or preset != "default":
            raise CommandError(
                "Got --start-from with --preset or --set, expected one of them: fine-tuning keeps "
                "the settings of the model."
            )
        from .fine_tuning import train_further

        train_further(start_from, data, label_column, output, seed)
        return
    from .train import train

    train(data, label_column, preset, settings or [], output, seed)


@app.command("evaluate")
def _evaluate(
    model: Model,
    data: Data = "sample",
    label_column: LabelColumn = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The picture of the worst mistakes.", show_default="MODEL-mistakes.png"),
    ] = None,
) -> None:
    """Show accuracy, confusion matrix and worst mistakes of a saved classifier."""
    from .evaluate import evaluate

    evaluate(model, data, output, label_column)


@app.command("tune")
def _tune(
    data: Data = "sample",
    label_column: LabelColumn = None,
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
        int, typer.Option(metavar="N", help="Fits in parallel, -1 for one per core.")
    ] = 1,
    output: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            help="The best pipeline; the table of results is saved in the same folder.",
        ),
    ] = Path("tuned.skdigits"),
    seed: Seed = 0,
) -> None:
    """Search a grid of parameters, rank them and save the best classifier."""
    from .tune import tune

    tune(data, label_column, grid, preset, settings or [], cv, jobs, output, seed)


@app.command("predict")
def _predict(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help=(
                "Picture files, folders of them, or patterns; or a .csv file of pixels, one row "
                "per digit."
            ),
        ),
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
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=(
                "Save the predictions, as JSON if the name ends with .json, else as CSV; those of "
                "a .csv file as Kaggle's submission.csv (ImageId, Label)."
            ),
            show_default="standard output",
        ),
    ] = None,
) -> None:
    """Read handwritten digits; the exit status is 1 if some pictures cannot be read."""
    if as_json and as_csv:
        raise CommandError("Got --json and --csv, expected one of them.")
    output_format = "json" if as_json else "csv" if as_csv else "text"
    from .predict import predict

    raise typer.Exit(predict(images, model, output_format, explain, number, output))


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
    model: Model,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT", help="The new file: digits.onnx, digits.html or digits.keras."
        ),
    ],
    dtype: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="Type of an ONNX model's input: float32, float64 or uint8.",
            show_default="that of the network",
        ),
    ] = None,
) -> None:
    """Convert a classifier to ONNX, to one HTML page that reads drawings, or to Keras."""
    from .export import export

    export(model, output, dtype)
