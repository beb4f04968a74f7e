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

from skdigits import DigitANNClassifier, PixelScaler, save
from skdigits._atomic import write_atomically
from skdigits.displays import SearchResultsDisplay
from skdigits.presets import param_grid

from .arguments import (
    Refusal,
    beside,
    check_outputs,
    check_parameters,
    chosen_classifier,
    existing_file,
    expected_one_of,
    one_line,
    refusing,
    settable,
)
from .data import Digits, training_and_test
from .quiet import import_tensorflow
from .screen import FitBar, percent, progress_console, result_console, table, write_picture

STEP = "ann"
N_RANKED = 20


def tune(
    data: str,
    grid: str,
    preset: str,
    settings: list[str],
    cv: int,
    jobs: int,
    output: Path,
    seed: int,
) -> None:
    """Search, rank, save."""
    results, picture = beside(output, "-results.csv"), beside(output, "-search.png")
    check_outputs(output, results, picture, inputs=[data, grid])
    if jobs < 1 and jobs != -1:
        raise Refusal(f"Got --jobs {jobs}, expected at least 1, or -1 for one per core.")
    classifier = chosen_classifier(preset, settings, seed)
    candidates = _grid(grid, classifier)
    training, test, origin = training_and_test(data, seed)
    _check_folds(cv, training)
    for candidate in ParameterGrid(candidates):
        check_parameters(clone(classifier).set_params(**candidate), *training)
    console = result_console()
    n_candidates, n_rows = len(ParameterGrid(candidates)), len(training.y)
    console.print(f"Data: {origin}")
    # Of the candidates' fits each has a fold of its own; one more is that of the best on all.
    n_fits = n_candidates * cv + 1
    console.print(
        f"Candidates: {n_candidates}, each on {cv} folds of {n_rows:,} training digits; "
        f"{n_fits} fits with that of the best on all"
    )
    search = _search(classifier, candidates, cv, jobs, seed)
    search.set_callbacks(FitBar(progress_console(), n_fits))
    _fit(search, training, console)
    _print_ranking(search, candidates, console)
    best = (_option(name, value) for name, value in search.best_params_.items())
    console.print(f"\nBest: {' '.join(best)}")
    console.print(f"Test accuracy of the best: {percent(search.score(test.X, test.y))}")
    with refusing(OSError):
        save(search.best_estimator_, output)
        console.print(f"Best pipeline saved: {output}")
        frame = pd.DataFrame(search.cv_results_).sort_values("rank_test_score", kind="stable")
        write_atomically(results, lambda file: frame.to_csv(file, index=False))
    console.print(f"Results of all candidates saved: {results}")
    display = SearchResultsDisplay(search.cv_results_, score_name="accuracy")
    write_picture(picture, display.size, lambda f: display.plot(ax=f.subplots()), console)


def _grid(grid: str, classifier: DigitANNClassifier) -> dict[str, list[Any]]:
    """Lists of values by parameter."""
    if grid in ("small", "medium"):
        return param_grid(grid)
    if Path(grid).suffix.lower() != ".toml":
        raise expected_one_of(f"--grid {grid}", grid, ["small", "medium", "a .toml file"])
    try:
        values = tomllib.loads(existing_file("--grid", grid).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refusal(
            f"Got --grid {grid}, expected lines such as dropout = [0.0, 0.2]: {one_line(error)}."
        ) from error
    known = settable(classifier)
    for name, choices in values.items():
        if name not in known and not name.startswith("optimizer__"):
            raise expected_one_of(f"{name} in {grid}", name, known)
        if not isinstance(choices, list) or not choices:
            raise Refusal(
                f"Got {name} = {choices!r} in {grid}, expected a list such as [0.0, 0.2]."
            )
    if not values:
        raise Refusal(f"Got {grid} without parameters, expected dropout = [0.0, 0.2] or such.")
    return {name: [_frozen(value) for value in choices] for name, choices in values.items()}


def _frozen(value: Any) -> Any:
    """TOML's lists as the tuples that parameters are."""
    return tuple(value) if isinstance(value, list) else value


def _check_folds(cv: int, training: Digits) -> None:
    smallest = int(np.unique(training.y, return_counts=True)[1].min())
    if cv > smallest:
        raise Refusal(
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


def _fit(search: GridSearchCV, training: Digits, console: Console) -> None:
    """Run the search; candidates whose training fails are ranked last."""
    import_tensorflow()
    start = perf_counter()
    # Training runs in compiled programs, so threads suffice, which share one TensorFlow.
    with warnings.catch_warnings(record=True) as caught, parallel_config("threading"):
        warnings.simplefilter("always", FitFailedWarning)
        # That some scores are missing is said in the table.
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        try:
            search.fit(training.X, training.y)
        except ValueError as error:
            reasons = _reasons(error)
            # A fault of the program is none of the user's.
            if not all("Got " in reason for reason in reasons):
                raise
            raise Refusal("; ".join(reasons)) from error
    console.print(f"Searched: {perf_counter() - start:.1f} s")
    for reason in dict.fromkeys(r for warning in caught for r in _reasons(warning.message)):
        warnings.warn(reason, stacklevel=2)


def _reasons(message: object) -> list[str]:
    """What a message says; of one about failed fits, which has tracebacks, only the reasons."""
    blocks = str(message).split("-" * 80 + "\n")[1:]
    if not blocks:
        return [one_line(message)]
    reasons = [block.strip().splitlines()[-1].partition(": ")[2] for block in blocks]
    counts = [block.split()[0] for block in blocks]
    return [f"{n} fits failed: {r}" for n, r in zip(counts, reasons, strict=True)]


def _option(name: str, value: Any) -> str:
    """How a parameter can be typed in a shell."""
    text = "".join(f"{v}," for v in value) if isinstance(value, tuple) else str(value)
    return f"--set {name.removeprefix(f'{STEP}__')}={text.rstrip(',') or '()'}"


def _print_ranking(
    search: GridSearchCV, candidates: dict[str, list[Any]], console: Console
) -> None:
    results = search.cv_results_
    varied = [name for name, values in candidates.items() if len(values) > 1]
    # Names with underscores can't be broken into lines.
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
            *values,
        )
    console.print(ranking)
    if len(order) > N_RANKED:
        console.print(f"{len(order) - N_RANKED} more are in the table of results.")
