"""``skdigits tune``."""

from __future__ import annotations

import tomllib
import warnings
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from joblib import parallel_config
from rich.console import Console
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold
from sklearn.pipeline import Pipeline

from skdigits import DigitANNClassifier, PixelScaler
from skdigits._atomic import write_atomically
from skdigits._text import csv_cell, printable
from skdigits.displays import SearchResultsDisplay
from skdigits.presets import param_grid

from .console import percent, progress_console, result_console, table, write_picture
from .data import Digits, load_training_and_test
from .errors import CommandError, as_command_error, one_line, unknown_choice
from .models import save_model
from .parameters import check_parameters, make_classifier, settable
from .paths import check_outputs, existing_file, with_ending
from .progress import FitBar

STEP = "ann"
N_RANKED = 20


def tune(
    data: str,
    label_column: str | None,
    grid: str,
    preset: str,
    settings: list[str],
    cv: int,
    jobs: int,
    output: Path,
    seed: int,
) -> None:
    """Search, save and rank."""
    results, picture = with_ending(output, "-results.csv"), with_ending(output, "-search.png")
    check_outputs(output, results, picture, inputs=[data, grid])
    if jobs < 1 and jobs != -1:
        raise CommandError(f"Got --jobs {jobs}, expected at least 1, or -1 for one per core.")
    classifier = make_classifier(preset, settings, seed)
    candidates = _grid(grid, classifier)
    training, test, origin = load_training_and_test(data, seed, label_column)
    _check_folds(cv, training)
    for candidate in ParameterGrid(candidates):
        check_parameters(clone(classifier).set_params(**candidate), training.X, training.y)
    console = result_console()
    n_candidates, n_rows = len(ParameterGrid(candidates)), len(training.y)
    console.print(f"Data: {printable(origin)}")
    # One fit per candidate and fold, and one of the best candidate on all rows.
    n_fits = n_candidates * cv + 1
    console.print(
        f"Candidates: {n_candidates}, each on {cv} folds of {n_rows:,} training digits; "
        f"{n_fits} fits with that of the best on all"
    )
    search = _search(classifier, candidates, cv, jobs, seed)
    search.set_callbacks(FitBar(progress_console(), n_fits))
    seconds = _fit(search, training)
    # Before the report, which fails where standard output is closed or full.
    save_model(search.best_estimator_, output)
    with as_command_error(OSError):
        frame = pd.DataFrame(search.cv_results_).sort_values("rank_test_score", kind="stable")
        frame = frame.map(lambda value: csv_cell(value) if isinstance(value, str) else value)
        write_atomically(results, lambda file: frame.to_csv(file, index=False))
    console.print(f"Searched: {seconds:.1f} s")
    _print_ranking(search, candidates, console)
    best = (_option(name, value) for name, value in search.best_params_.items())
    console.print(f"\nBest: {' '.join(best)}")
    console.print(f"Test accuracy of the best: {percent(search.score(test.X, test.y))}")
    console.print(f"Best pipeline saved: {printable(output)}")
    console.print(f"Results of all candidates saved: {printable(results)}")
    display = SearchResultsDisplay(search.cv_results_, score_name="accuracy")
    write_picture(picture, display.size, lambda f: display.plot(ax=f.subplots()), console)


def _grid(grid: str, classifier: DigitANNClassifier) -> dict[str, list[Any]]:
    """Return lists of values by parameter."""
    if grid in ("small", "medium"):
        return param_grid(grid)
    if Path(grid).suffix.lower() != ".toml":
        raise unknown_choice(f"--grid {grid}", grid, ["small", "medium", "a .toml file"])
    path = existing_file(grid)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(
            f"Got --grid {grid}, expected lines such as dropout = [0.0, 0.2]: {one_line(error)}."
        ) from error
    known = settable(classifier)
    for name, choices in values.items():
        if name not in known and not name.startswith("optimizer__"):
            raise unknown_choice(f"{name} in {grid}", name, known)
        if not isinstance(choices, list) or not choices:
            raise CommandError(
                f"Got {name} = {choices!r} in {grid}, expected a list such as [0.0, 0.2]."
            )
    if not values:
        raise CommandError(f"Got {grid} without parameters, expected dropout = [0.0, 0.2] or such.")
    return {name: [_frozen(value) for value in choices] for name, choices in values.items()}


def _frozen(value: Any) -> Any:
    """Convert TOML's lists to tuples, as the parameters are."""
    return tuple(value) if isinstance(value, list) else value


def _check_folds(cv: int, training: Digits) -> None:
    smallest = int(np.unique(training.y, return_counts=True)[1].min())
    if cv > smallest:
        raise CommandError(
            f"Got --cv {cv}, expected at most {smallest}, which is how many training digits the "
            "rarest class has."
        )


def _search(
    classifier: DigitANNClassifier,
    candidates: dict[str, list[Any]],
    cv: int,
    jobs: int,
    seed: int,
) -> GridSearchCV:
    return GridSearchCV(
        Pipeline([("scaler", PixelScaler()), (STEP, classifier)]),
        {f"{STEP}__{name}": values for name, values in candidates.items()},
        cv=StratifiedKFold(cv, shuffle=True, random_state=seed),
        n_jobs=jobs,
    )


def _fit(search: GridSearchCV, training: Digits) -> float:
    """Run the search and return its seconds; candidates whose training fails are ranked last."""
    # Starts the backend, which is no part of the search's time.
    import skdigits._keras  # noqa: F401

    start = perf_counter()
    # Compiled training releases Python's lock, so threads suffice; they share one TensorFlow.
    with warnings.catch_warnings(record=True) as caught, parallel_config("threading"):
        warnings.simplefilter("always", FitFailedWarning)
        # The table shows which scores are missing.
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        try:
            search.fit(training.X, training.y)
        except ValueError as error:
            reasons = _reasons(error)
            # Other errors are faults of the program.
            if not all("Got " in reason for reason in reasons):
                raise
            raise CommandError("; ".join(reasons)) from error
    seconds = perf_counter() - start
    for reason in dict.fromkeys(r for warning in caught for r in _reasons(warning.message)):
        warnings.warn(reason, stacklevel=2)
    return seconds


def _reasons(message: object) -> list[str]:
    """Return a message, or of one about failed fits, which has tracebacks, the reasons."""
    blocks = str(message).split("-" * 80 + "\n")[1:]
    if not blocks:
        return [one_line(message)]
    reasons = [block.strip().splitlines()[-1].partition(": ")[2] for block in blocks]
    counts = [block.split()[0] for block in blocks]
    return [f"{n} fits failed: {r}" for n, r in zip(counts, reasons, strict=True)]


def _option(name: str, value: Any) -> str:
    """Return a parameter as it is typed in a shell."""
    text = "".join(f"{v}," for v in value) if isinstance(value, tuple) else str(value)
    return f"--set {name.removeprefix(f'{STEP}__')}={text.rstrip(',') or '()'}"


def _print_ranking(
    search: GridSearchCV, candidates: dict[str, list[Any]], console: Console
) -> None:
    results = search.cv_results_
    varied = [name for name, values in candidates.items() if len(values) > 1]
    # Spaces allow line breaks in the header.
    names = [name.replace("_", " ") for name in varied]
    ranking = table("Rank", "Accuracy", "Spread", "Seconds", *names)
    order = np.argsort(results["rank_test_score"], kind="stable")
    for i in order[:N_RANKED]:
        values = [str(results["params"][i][f"{STEP}__{name}"]) for name in varied]
        score = results["mean_test_score"][i]
        ranking.add_row(
            str(results["rank_test_score"][i]),
            percent(score) if np.isfinite(score) else "failed",
            percent(results["std_test_score"][i]) if np.isfinite(score) else "",
            f"{results['mean_fit_time'][i]:.1f}",
            *map(printable, values),
        )
    console.print(ranking)
    if len(order) > N_RANKED:
        console.print(f"{len(order) - N_RANKED} more are in the table of results.")
