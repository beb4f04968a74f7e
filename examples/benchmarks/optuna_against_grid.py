"""Optuna's TPE against GridSearchCV in the same wall time, on a sample of MNIST's training rows.

The grid is `skdigits.presets.param_grid("small")`, 8 candidates on 3 folds. Optuna draws from
ranges around it, scores its trials on the same folds, and gets as long as the grid took; a trial
that ends later doesn't count. TPE draws its first 10 trials at random. Both begin without any
compiled program. Each one's best parameters are then fitted to the whole sample and scored on
10,000 other training rows. No test row is used.

    python examples/benchmarks/optuna_against_grid.py --seeds 5

The seed draws sample and folds, and is the networks' and the sampler's. Results are appended to
optuna_against_grid.json beside this script; a seed that is there isn't run again.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import optuna
from _results import Results, print_table, versions
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import Pipeline

from skdigits import DigitANNClassifier, PixelScaler
from skdigits._keras.program_cache import PROGRAMS
from skdigits.datasets import fetch_mnist
from skdigits.presets import param_grid

N_SAMPLE, N_HELD_OUT, N_FOLDS, EPOCHS = 3_000, 10_000, 3, 10
WAYS = ("GridSearchCV", "Optuna TPE")


def pipeline(seed: int) -> Pipeline:
    network = DigitANNClassifier(epochs=EPOCHS, random_state=seed)
    return Pipeline([("scaler", PixelScaler()), ("ann", network)])


def sampled(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    X, y = fetch_mnist(subset="train", return_X_y=True)
    X, X_held_out, y, y_held_out = train_test_split(
        X, y, train_size=N_SAMPLE, test_size=N_HELD_OUT, random_state=seed, stratify=y
    )
    return X, y, X_held_out, y_held_out


def by_grid(model: Pipeline, folds: Any, X: np.ndarray, y: np.ndarray) -> tuple[dict, float, int]:
    """Best parameters, their score, number of candidates."""
    search = GridSearchCV(model, param_grid("small", step="ann"), cv=folds, refit=False)
    search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    return search.cv_results_["params"][scores.argmax()], scores.max(), len(scores)


def by_optuna(
    model: Pipeline, folds: Any, X: np.ndarray, y: np.ndarray, seconds: float
) -> tuple[dict, float, int]:
    """Best parameters, their score, number of trials that ended in time."""
    sizes = param_grid("small")["hidden_layer_sizes"]

    def objective(trial: optuna.Trial) -> float:
        # Steps, since each value of dropout is a program to compile, and each rate is not.
        params = {
            "ann__hidden_layer_sizes": sizes[trial.suggest_int("sizes", 0, len(sizes) - 1)],
            "ann__dropout": trial.suggest_float("dropout", 0.0, 0.4, step=0.1),
            "ann__learning_rate": trial.suggest_float("learning_rate", 3e-4, 1e-2, log=True),
        }
        trial.set_user_attr("params", params)
        score = cross_val_score(clone(model).set_params(**params), X, y, cv=folds).mean()
        trial.set_user_attr("in_time", time.perf_counter() - start <= seconds)
        return float(score)

    seed = model["ann"].random_state
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    start = time.perf_counter()
    study.optimize(objective, timeout=seconds)
    trials = [trial for trial in study.trials if trial.user_attrs["in_time"]]
    best = max(trials, key=lambda trial: trial.value)
    return best.user_attrs["params"], best.value, len(trials)


def compare(seed: int, results: Results) -> None:
    """One search of each kind on the same folds."""
    X, y, X_held_out, y_held_out = sampled(seed)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    model = pipeline(seed)
    # TensorFlow is imported and set up before the clock runs.
    clone(model).set_params(ann__hidden_layer_sizes=(8,), ann__epochs=1).fit(X, y)
    rows, seconds = [], 0.0
    for way in WAYS:
        PROGRAMS.clear()
        start = time.perf_counter()
        if way == "GridSearchCV":
            params, score, n = by_grid(model, folds, X, y)
            seconds = time.perf_counter() - start
        else:
            params, score, n = by_optuna(model, folds, X, y, seconds)
        chosen = clone(model).set_params(**params).fit(X, y)
        held_out = chosen.score(X_held_out, y_held_out)
        figures = {"cv": float(score), "held_out": float(held_out), "candidates": n}
        shown = {
            name.removeprefix("ann__"): f"{value:.3g}" if isinstance(value, float) else str(value)
            for name, value in params.items()
        }
        rows.append(({"seed": seed, "way": way}, figures | {"seconds": seconds, "best": shown}))
    # Only when both are there, since one alone compares nothing.
    for settings, figures in rows:
        results.add(settings | versions() | {"optuna": optuna.__version__}, figures)


def table(results: Results) -> None:
    """Figures of each seed, then their means."""
    print(f"{N_SAMPLE:,} rows, {N_FOLDS} folds, {EPOCHS} epochs; {N_HELD_OUT:,} rows held out")
    found = sorted(results.rows, key=lambda row: (row["way"], row["seed"]))
    rows = []
    for way in WAYS:
        own = [row for row in found if row["way"] == way]
        cv, held_out = (100 * np.array([row[k] for row in own]) for k in ("cv", "held_out"))
        candidates = [row["candidates"] for row in own]
        rows.append(
            [
                way,
                f"{np.median([row['seconds'] for row in own]):.0f}",
                f"{min(candidates)} to {max(candidates)}",
                f"{cv.mean():.2f} ± {cv.std(ddof=1):.2f}",
                f"{held_out.mean():.2f} ± {held_out.std(ddof=1):.2f}",
                f"{len(own)}",
            ]
        )
    header = ["search", "s", "candidates", "cross-validation in %", "held-out rows in %", "seeds"]
    print_table(header, rows, "optuna")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    results = Results("optuna_against_grid.json")
    for seed in range(arguments.seeds):
        if not results.has({"seed": seed, "way": WAYS[-1]}):
            compare(seed, results)
    table(results)
