"""The best accuracy for each budget of time: test accuracy by seed on the full MNIST.

    python examples/benchmarks/accuracy.py                      every row, 5 seeds
    python examples/benchmarks/accuracy.py fast small --seeds 2
    python examples/benchmarks/accuracy.py --table              what is known so far
    python examples/benchmarks/accuracy.py --smoke              one epoch on the embedded sample

What the rows train was chosen on validation rows, by choose_recipes.py and, what a teacher, blurred
images and deskewed digits bring, by search_on_gpu.py, blur.py and deskewed.py; only who sits on the
committee was settled without such a comparison, before it was tested. Each network is trained on
all training rows and tested once per seed; the last epoch counts. Results are appended to
accuracy.json beside this script; a seed that is there isn't run again. With --models FOLDER the
fitted pipelines are kept there, as the row "committee" needs them, and fits that were interrupted
go on. Times are those of runs on two cores where there are any, else half of those of runs on one.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from _results import Results, print_table, versions
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline

import skdigits
from skdigits import Augmentation, DigitANNClassifier, PixelScaler, make_reference_classifier
from skdigits._checkpoint import HEADER
from skdigits._temperature import expected_calibration_error
from skdigits.datasets import fetch_mnist, load_mnist_sample
from skdigits.preprocessing import DigitDeskewer


@dataclass(frozen=True)
class Row:
    """A network and its budget of time in seconds."""

    what: str
    budget: float
    params: dict[str, Any] = field(default_factory=dict)
    preset: str | None = None
    data: str = "mnist_784"
    deskewed: bool = False
    seeds: Sequence[int] = range(100)

    def pipeline(self, seed: int) -> Pipeline:
        steps = [PixelScaler(), *([DigitDeskewer()] if self.deskewed else [])]
        return make_pipeline(*steps, self.classifier(seed))

    def classifier(self, seed: int) -> DigitANNClassifier:
        if self.preset is None:
            return DigitANNClassifier(**self.params, random_state=seed)
        return make_reference_classifier(self.preset, **self.params, random_state=seed)


SMALL: dict[str, Any] = {"hidden_layer_sizes": (128, 64), "learning_rate": 0.004}
GENTLE: dict[str, Any] = SMALL | {
    "label_smoothing": 0.0,
    "augmentation": Augmentation(rotation=7.5, scale=0.075, shear=0.1, shift=0.0275, elastic=0.03),
}
TAUGHT: dict[str, Any] = GENTLE | {
    "augmentation": Augmentation(rotation=11, scale=0.11, shear=0.15, shift=0.04, elastic=0.035),
}
# The teacher's file before one unit of each layer was replaced, which changes blank rows only.
TEACHER_BEFORE = "SHA-256 6e9ea70333b20fec"
BLUR = 1 / 8
LONG: dict[str, Any] = {"epochs": 120, "input_blur": BLUR}
# The first of these networks were to be trained on with the seeds in between, as stages of a vote.
LONG_SEEDS = range(0, 100, 10)
MINUTE = 60.0

ROWS = {
    "default": Row("DigitANNClassifier()", 20),
    "small": Row("784-128-64-10", 6, SMALL | {"epochs": 20}),
    "small-deformed": Row(
        "784-128-64-10, augmentation, 200 epochs", 2 * MINUTE, GENTLE | {"epochs": 200}
    ),
    "taught": Row(
        "784-128-64-10, distilled from load_pretrained(), 300 epochs",
        20 * MINUTE,
        TAUGHT | {"epochs": 300},
    ),
    "fast": Row("preset 'fast'", 30, preset="fast"),
    "accurate": Row("preset 'accurate'", 15 * MINUTE, preset="accurate"),
    "deskewed": Row(
        "preset 'accurate' with SiLU, input_blur and deskewing",
        15 * MINUTE,
        {"activation": "silu", "input_blur": BLUR},
        preset="accurate",
        deskewed=True,
    ),
    "record": Row("preset 'record'", 90 * MINUTE, preset="record"),
    "record-plain": Row(
        "preset 'record' with input_blur, 120 epochs",
        90 * MINUTE,
        LONG,
        preset="record",
        seeds=LONG_SEEDS,
    ),
    "record-deskewed": Row(
        "preset 'record' with input_blur and deskewing, 120 epochs",
        90 * MINUTE,
        LONG,
        preset="record",
        deskewed=True,
        seeds=LONG_SEEDS,
    ),
    "fashion": Row(
        "preset 'fashion' on Fashion-MNIST",
        10 * MINUTE,
        preset="fashion",
        data="Fashion-MNIST",
    ),
}
# Rows that are put together from others or have no test set of their own.
COMMITTEE = Row("soft vote of five of these networks", 120 * MINUTE)
# Four of these and the network of "deskewed" with the number of the one that is left out.
LONG_MEMBERS = (
    ("record-deskewed", 0),
    ("record-deskewed", 10),
    ("record-deskewed", 20),
    ("record-plain", 0),
    ("record-plain", 10),
)
PRETRAINED = Row("load_pretrained()", 0)
DIGITS = Row("preset 'fast' on load_digits, 5-fold cross-validation", 10, preset="fast")


def rows_of(name: str, subset: str) -> tuple[np.ndarray, np.ndarray]:
    X, y = fetch_mnist(subset=subset, return_X_y=True, name=name)
    return np.asarray(X), np.asarray(y)


def figures(model: Any, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    probabilities = model.predict_proba(X)
    predicted = model.classes_[probabilities.argmax(axis=1)]
    ece = expected_calibration_error(y, predicted, probabilities)
    return {"accuracy": float((predicted == y).mean()), "ece": ece}


def smoke() -> None:
    """Whether networks of each shape run: one epoch on the digits that come with the package."""
    X, y = load_mnist_sample(subset="train", return_X_y=True)
    X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
    # Of rows with networks of one shape the last.
    shapes = {str(row.classifier(0).hidden_layer_sizes): row for row in ROWS.values()}
    for row in shapes.values():
        model = row.pipeline(0).set_params(digitannclassifier__epochs=1).fit(X, y)
        accuracy = 100 * figures(model, X_test, y_test)["accuracy"]
        print(f"{row.what:54}{accuracy:6.2f} % after one epoch of 5,000 digits")


def settings_of(name: str, seed: int) -> dict[str, Any]:
    """What tells a row's result from others: parameters, and those of a teacher."""
    settings: dict[str, Any] = {
        "row": name,
        "seed": seed,
        "params": repr(ROWS[name].classifier(seed)),
    }
    if name == "taught":
        settings["teacher"] = file_of_pretrained()
    return settings


def train(name: str, seeds: int, results: Results, models: Path | None) -> None:
    """Train a row's network and test it, once per seed."""
    row = ROWS[name]
    X, y = rows_of(row.data, "train")
    X_test, y_test = rows_of(row.data, "test")
    for seed in row.seeds[:seeds]:
        settings = settings_of(name, seed)
        if results.has(settings):
            continue
        model = row.pipeline(seed)
        options: dict[str, Any] = {}
        if name == "taught":
            options["digitannclassifier__teacher"] = skdigits.load_pretrained()[-1]
        done = {}
        if models and row.budget > MINUTE:
            checkpoint = models / f"{name}-{seed}.checkpoint"
            options["digitannclassifier__checkpoint"] = checkpoint
            if checkpoint.exists():
                with ZipFile(checkpoint) as archive:
                    done["resumed_at_epoch"] = json.loads(archive.read(HEADER))["epochs"]
        start, cpu = time.perf_counter(), time.process_time()
        model.fit(X, y, **options)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        if models:
            skdigits.save(model, models / f"{name}-{seed}.skdigits")
        found = figures(model, X_test, y_test) | {"seconds": seconds, "cpu_seconds": cpu}
        results.add(settings | versions() | {"epochs": model[-1].n_iter_} | done, found)


def members_of(n: int) -> list[tuple[str, int]]:
    """Rows and seeds of the networks that vote in the n-th of five committees."""
    return [*(m for i, m in enumerate(LONG_MEMBERS) if i != n), ("deskewed", n)]


def settings_of_committee(n: int) -> dict[str, Any]:
    """What tells a committee's result from others."""
    members = members_of(n)
    return {
        "row": "committee",
        "members": [f"{name}-{seed}" for name, seed in members],
        "params": [settings_of(name, seed)["params"] for name, seed in members],
    }


def committee(results: Results, models: Path) -> None:
    """Let networks of the rows above vote, which are in the folder.

    The five committees share members, so that their standard deviation is smaller than that of
    committees trained apart.
    """
    X_test, y_test = rows_of("mnist_784", "test")
    for n in range(len(LONG_MEMBERS)):
        settings = settings_of_committee(n)
        wanted = [settings_of(*member) for member in members_of(n)]
        fits = [r for one in wanted for r in results.rows if one.items() <= r.items()]
        known = [models / f"{name}.skdigits" for name in settings["members"]]
        if results.has(settings) or len(fits) < len(known) or not all(f.exists() for f in known):
            continue
        # A fitted network is put to the vote as it is, so fit only collects the labels.
        members = [(file.stem, FrozenEstimator(skdigits.load(file))) for file in known]
        vote = VotingClassifier(members, voting="soft").fit(X_test, y_test)
        times = {
            "seconds": sum(on_two_cores(fit) for fit in fits),
            "cpu_seconds": sum(of_all_epochs(fit, "cpu_seconds") for fit in fits),
        }
        results.add(settings | versions(), figures(vote, X_test, y_test) | times)


def file_of_pretrained() -> str:
    """What tells the network that comes with the package from earlier ones."""
    file = files("skdigits") / "data" / "pretrained.npz"
    return f"SHA-256 {sha256(file.read_bytes()).hexdigest()[:16]}"


def pretrained(results: Results) -> None:
    """Test the network that comes with the package; there is one, so it has one row."""
    settings = {"row": "pretrained", "params": file_of_pretrained()}
    if not results.has(settings):
        found = figures(skdigits.load_pretrained(), *rows_of("mnist_784", "test"))
        results.add(settings | versions(), found)


def digits(seeds: int, results: Results) -> None:
    """Cross-validation on the 8 × 8 digits that come with scikit-learn."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    for seed in range(seeds):
        model = DIGITS.classifier(seed)
        settings = {"row": "digits", "seed": seed, "params": repr(model)}
        if results.has(settings):
            continue
        found = []
        for train_rows, test_rows in StratifiedKFold(5, shuffle=True, random_state=seed).split(
            X, y
        ):
            start, cpu = time.perf_counter(), time.process_time()
            fitted = clone(model).fit(X[train_rows], y[train_rows])
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            times = {"seconds": seconds, "cpu_seconds": cpu}
            found.append(figures(fitted, X[test_rows], y[test_rows]) | times)
        means = {name: float(np.mean([f[name] for f in found])) for name in found[0]}
        results.add(settings | versions(), means)


def of_all_epochs(fit: dict[str, Any], name: str) -> float:
    """Time of a fit; of one that went on from a checkpoint, only what came after was measured."""
    seconds: float = fit.get(name, np.nan)
    return seconds / (1 - fit.get("resumed_at_epoch", 0) / fit.get("epochs", 1))


def on_two_cores(fit: dict[str, Any]) -> float:
    """Seconds of a fit; of networks trained on one core each, two cores train two at a time."""
    seconds: float = of_all_epochs(fit, "seconds") * fit.get("cores", 2) / 2
    return seconds


def table(results: Results, seeds: int) -> None:
    """Mean and standard deviation over seeds; times are medians."""
    rows = []
    combined = {"committee": COMMITTEE, "pretrained": PRETRAINED, "digits": DIGITS}
    for name, row in (ROWS | combined).items():
        found = [r for r in results.rows if r["row"] == name and current(name, r)]
        if not found:
            rows.append([row.what, "not run", *["–"] * 4])
            continue
        values = {k: 100 * np.array([r[k] for r in found]) for k in ("accuracy", "ece")}
        spread = f" ± {values['accuracy'].std(ddof=1):.2f}" if len(found) > 1 else ""
        asked = 1 if name == "pretrained" else 3 if row.budget > 15 * MINUTE else seeds
        few = "" if len(found) >= asked else f" of {asked}"
        # Results of a machine with other work would change the mean.
        timed = [r for r in found if r.get("cores") == 2] or found
        seconds = np.median([on_two_cores(r) for r in timed])
        cpu = np.median([of_all_epochs(r, "cpu_seconds") for r in timed])
        rows.append(
            [
                row.what,
                f"{values['accuracy'].mean():.2f}{spread}",
                f"{values['ece'].mean():.2f}",
                *("–" if np.isnan(time) else f"{time:,.0f}" for time in (seconds, cpu)),
                f"{len(found)}{few}",
            ]
        )
    header = ["network", "test accuracy in %", "ECE in %", "fit in s", "CPU s", "seeds"]
    print_table(header, rows, "accuracy")


def current(name: str, result: dict[str, Any]) -> bool:
    """Whether a result is one of the row's parameters as they are now."""
    if name == "committee":
        known = [settings_of_committee(n) for n in range(len(LONG_MEMBERS))]
        return any(settings.items() <= result.items() for settings in known)
    if name == "pretrained":
        return result["params"] == file_of_pretrained()
    if name == "digits":
        return result["params"] == repr(DIGITS.classifier(result["seed"]))
    if name == "taught" and result.get("teacher") == TEACHER_BEFORE:
        result = result | {"teacher": file_of_pretrained()}
    return settings_of(name, result["seed"]).items() <= result.items()


def main() -> None:
    names = [*ROWS, "committee", "pretrained", "digits"]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*names, []], default=[], metavar="NAME")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.smoke:
        return smoke()
    results = Results("accuracy.json")
    if not arguments.table:
        # Importing TensorFlow isn't part of the first fit.
        DigitANNClassifier((8,), epochs=1).fit([[0.0], [1.0]], [0, 1])
    for name in [] if arguments.table else arguments.names or names:
        if name == "committee":
            if arguments.models:
                committee(results, arguments.models)
        elif name == "pretrained":
            pretrained(results)
        elif name == "digits":
            digits(arguments.seeds, results)
        else:
            train(name, arguments.seeds, results, arguments.models)
    table(results, arguments.seeds)


if __name__ == "__main__":
    main()
