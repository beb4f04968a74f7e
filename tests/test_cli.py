import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.pipeline import make_pipeline

import skdigits
from skdigits import (
    DigitANNClassifier,
    DigitImageNormalizer,
    PixelScaler,
    load_pretrained,
    read_digit_images,
)
from skdigits._cli import main
from skdigits._cli.console import digit_picture, probability_bars
from skdigits._cli.data import load_test, load_training_and_test
from skdigits._cli.evaluate import expected_calibration_error
from skdigits.datasets import load_mnist_sample
from skdigits.presets import PRESETS, param_grid

HEAVY = {"numpy", "scipy", "pandas", "sklearn", "joblib", "tensorflow", "keras", "matplotlib"}
TINY = ["--set", "hidden_layer_sizes=16", "--set", "epochs=2"]


@pytest.fixture(scope="module")
def sample():
    return load_mnist_sample("test", return_X_y=True)


@pytest.fixture(scope="module")
def files(sample, tmp_path_factory):
    """Digits in each form that can be read and in many that can't."""
    folder = tmp_path_factory.mktemp("files")
    X, y = sample[0][:300], sample[1][:300]
    numbers = y.astype(int)
    kaggle = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(784)])
    openml = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(1, 785)])
    openml["class"] = [f"'{label}'" for label in y]
    openml.to_csv(folder / "openml.csv", index=False)
    kaggle.to_csv(folder / "unlabelled.csv", index=False)
    kaggle.insert(0, "label", numbers)
    kaggle.to_csv(folder / "kaggle.csv", index=False)
    few = kaggle[:20].astype(object)
    few.assign(pixel5=300).to_csv(folder / "range.csv", index=False)
    few.assign(pixel5="ink").to_csv(folder / "words.csv", index=False)
    few.assign(label=None).to_csv(folder / "no_labels.csv", index=False)
    few.assign(label=0.5).to_csv(folder / "fractions.csv", index=False)
    few.assign(pixel5=-1).to_csv(folder / "negative.csv", index=False)
    few.assign(pixel5="1e999").to_csv(folder / "infinite.csv", index=False)
    few.assign(pixel5="").to_csv(folder / "no_cell.csv", index=False)
    few.assign(pixel5="\x1b[2J").to_csv(folder / "control.csv", index=False)
    huge = few.copy()
    huge.iloc[5, 10] = "9" * 400
    huge.to_csv(folder / "huge.csv", index=False)
    few.to_csv(folder / "few.csv", index=False)
    few[:0].to_csv(folder / "no_rows.csv", index=False)
    kaggle.iloc[:, :700].to_csv(folder / "narrow.csv", index=False)
    two_labels = kaggle.copy()
    two_labels.insert(1, "class", numbers)
    two_labels.to_csv(folder / "two_labels.csv", index=False)
    kaggle.to_csv(folder / "no_header.csv", index=False, header=False)
    kaggle.to_csv(folder / "no_header.csv.gz", index=False, header=False)
    kaggle.to_csv(folder / "zipped.zip", index=False)
    kaggle.to_csv(folder / "row_numbers.csv")
    kaggle.to_csv(folder / "semicolons.csv", index=False, sep=";")
    kaggle.astype(float).to_csv(folder / "floats.csv", index=False)
    counted = kaggle.drop(columns="label")
    counted.columns = [str(i) for i in range(784)]
    counted.assign(digit=numbers).to_csv(folder / "counted.csv", index=False)
    counted.assign(truth=numbers).to_csv(folder / "other_name.csv", index=False)
    counted.assign(truth=numbers).to_csv(folder / "label_last.csv", index=False, header=False)
    with ZipFile(folder / "two.zip", "w") as archive:
        archive.writestr("train.csv", "1")
        archive.writestr("test.csv", "1")
    (folder / "junk.csv.gz").write_bytes(b"junk")
    (folder / "cut.csv.gz").write_bytes((folder / "no_header.csv.gz").read_bytes()[:5000])
    (folder / "empty.csv").touch()
    (folder / "junk.csv").write_bytes(bytes(range(256)) * 20)
    images = X.reshape(-1, 28, 28)
    np.savez(
        folder / "keras.npz",
        x_train=images,
        y_train=numbers,
        x_test=X[:50],
        y_test=y[:50].astype(str),
    )
    np.savez(folder / "xy.npz", X=X.astype(np.float64), y=y.astype(str))
    np.savez(folder / "scaled.npz", X=X / 255, y=numbers)
    np.savez(folder / "text.npz", X=X.astype(str), y=numbers)
    np.savez(folder / "objects.npz", X=X, y=y)
    np.savez(folder / "narrow.npz", X=X[:, :700], y=numbers)
    np.savez(folder / "lengths.npz", X=X, y=numbers[:-1])
    np.savez(folder / "names.npz", images=X, labels=numbers)
    np.savez(folder / "letters.npz", X=X[:3], y=np.array(["a", "b", "c"]))
    np.savez(folder / "same.npz", X=X[:40], y=np.full(40, 3))
    np.save(folder / "single.npy", X)
    (folder / "single.npy").rename(folder / "single.npz")
    (folder / "cut.npz").write_bytes((folder / "xy.npz").read_bytes()[:3000])
    for name, text in GRIDS.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


GRIDS = {
    "good": "learning_rate = [0.003, 0.01, 1e30]\nhidden_layer_sizes = [[16, 8]]",
    "diverging": "learning_rate = [1e30]",
    "scalar": "dropout = 0.5",
    "unknown": "dropuot = [0.5]",
    "wrong": "dropout = [0.1, 1.5]",
    "layers": "hidden_layer_sizes = [[16]]\ndropout = [[0.1, 0.2]]",
    "broken": "dropout = [",
    "empty": "",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What a user gets who trains a small network: folder, standard output and error."""
    folder = tmp_path_factory.mktemp("trained")
    done = subprocess.run(
        [sys.executable, "-m", "skdigits", "train", *TINY, "--output", "digits.skdigits"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return folder, done.stdout, done.stderr


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Run the command line in an empty folder; exit status, standard output and error."""
    monkeypatch.chdir(tmp_path)
    # TensorFlow's own level of logging is set for a whole process.
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")

    def run(*args):
        with pytest.raises(SystemExit) as exit:
            main([str(arg) for arg in args])
        return exit.value.code, *capfd.readouterr()

    return run


@pytest.mark.parametrize("args", [["--help"], ["train", "--help"], ["tune", "--help"], []])
def test_help_imports_nothing_heavy(args):
    code = (
        "import sys\nfrom skdigits._cli import main\n"
        f"try: main({args})\n"
        "finally: print('\\n' + ' '.join(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == (0 if args else 2)
    assert "Usage" in done.stdout
    assert not HEAVY & {name.partition(".")[0] for name in done.stdout.split()}


def test_help_names_every_preset(run):
    _, out, _ = run("train", "--help")
    words = set(re.sub(r"[│╭╮╰╯─,]", " ", out).split())
    assert {"default", *PRESETS} <= {word.rstrip(".") for word in words}


def test_version(run):
    assert run("--version") == (0, f"skdigits {skdigits.__version__}\n", "")


def test_train_shows_and_saves_everything(trained, sample):
    folder, out, err = trained
    assert sorted(path.name for path in folder.iterdir()) == [
        "digits-curves.png",
        "digits.skdigits",
    ]
    assert (folder / "digits-curves.png").read_bytes().startswith(b"\x89PNG")
    model = skdigits.load(folder / "digits.skdigits")
    X, y = sample
    right = int((model.predict(X) == y).sum())
    assert f"Test accuracy: {right / 10:.2f} % ({right} of 1,000)" in out
    assert "5,000 digits, 500 held back for validation" in out
    assert "784-16-10, relu" in out
    rows = re.findall(r"│ +(\d) │ +(\d+) │ +(\d+) │", out)
    labels, counts = np.unique(y, return_counts=True)
    assert [(label, int(n)) for label, n, _ in rows] == list(zip(labels, counts, strict=True))
    assert sum(int(hits) for *_, hits in rows) == right
    network = model[-1]
    assert len(network.validation_scores_) == network.n_iter_ == 2
    assert "Epoch 2/2" in err
    assert f"loss {network.loss_curve_[-1]:.4f}" in err
    assert f"validation accuracy {100 * network.validation_scores_[-1]:.2f} %" in err
    assert out.endswith(
        "\nNext:\n"
        "  skdigits evaluate digits.skdigits\n"
        "  skdigits predict photo.jpg --model digits.skdigits\n"
        "  skdigits export digits.skdigits digits.onnx\n"
    )


def test_progress_shows_the_remaining_time(run, files, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    _, _, err = run("train", "--data", files / "kaggle.csv", *TINY)
    assert re.search(r"(\d|-):[\d-]{2}:[\d-]{2} left", re.sub(r"\x1b\[[\d;?]*\w", "", err))


def test_train_says_nothing_of_tensorflows(trained):
    assert len(trained[2].splitlines()) == 1


def test_the_example_is_drawn_with_its_probabilities(trained, sample):
    folder, out, _ = trained
    row, label, predicted, share = re.search(
        r"test digit (\d+) is a (\d), predicted: (\d) \(([\d.]+) %\)", out
    ).groups()
    X, y = sample
    assert y[int(row)] == label
    probabilities = skdigits.load(folder / "digits.skdigits").predict_proba(X[[int(row)]])[0]
    assert (predicted, share) == (
        str(probabilities.argmax()), f"{100 * probabilities.max():.2f}"
    )  # fmt: skip
    for digit, probability in enumerate(probabilities):
        assert re.search(rf"^.{{28}} +{digit} +█*.*{100 * probability:.2f} %$", out, re.MULTILINE)


def test_a_digit_is_its_pixels_in_colour_and_in_letters():
    image = np.zeros((4, 3), np.uint8)
    image[0, 0], image[1, 0], image[2, 2], image[3, 2] = 255, 51, 255, 255
    colour = Console(color_system="truecolor", force_terminal=True, file=io.StringIO())
    picture = digit_picture(image, colour)
    assert picture.plain == "▀▀▀\n▀▀▀\n"
    assert str(picture.spans[0].style) == "rgb(255,255,255) on rgb(51,51,51)"
    assert digit_picture(image, Console(file=io.StringIO())).plain == "+  \n  @\n"
    ascii_only = Console(file=io.TextIOWrapper(io.BytesIO(), "ascii"))
    bars = probability_bars(np.array(["0", "1"]), np.array([0.25, 0.75]), ascii_only)
    assert [line.split() for line in bars.plain.splitlines()] == [
        ["0", "#" * 6, "25.00", "%"],
        ["1", "#" * 18, "75.00", "%"],
    ]


def test_a_preset_with_early_stopping_holds_back_by_itself(run):
    status, out, _ = run(
        "train", "--preset", "regularized-128-64-32", "--set", "epochs=3", "--output", "r.skdigits"
    )
    assert status == 0
    assert "5,000 digits, 10 % held back for early stopping" in out
    model = skdigits.load("r.skdigits")
    best = int(np.argmax(model[-1].validation_scores_)) + 1
    assert f"weights of epoch {best} kept" in out


def test_seed_and_settings_reach_the_classifier(run, files):
    args = ["train", "--data", files / "kaggle.csv", "--seed", "7", "--output", "a.skdigits", *TINY]
    status, out, _ = run(*args, "--set", "optimizer=sgd", "--set", "optimizer__momentum=0.5")
    assert status == 0
    assert "20 % of it held out as test digits" in out
    network = skdigits.load("a.skdigits")[-1]
    assert (network.random_state, network.epochs, network.hidden_layer_sizes) == (7, 2, 16)
    assert (network.optimizer, network.optimizer_params) == ("sgd", {"momentum": 0.5})


def test_training_never_sees_the_test_rows(files):
    training, test, _ = load_training_and_test(str(files / "kaggle.csv"), seed=1)
    rows = {row.tobytes() for row in training.X}
    assert (len(training.y), len(test.y)) == (240, 60)
    assert not any(row.tobytes() in rows for row in test.X)
    again = load_training_and_test(str(files / "kaggle.csv"), seed=1)
    np.testing.assert_array_equal(again.test.X, test.X)
    shares = [np.unique(part.y, return_counts=True)[1] / len(part.y) for part in (training, test)]
    np.testing.assert_allclose(*shares, atol=0.02)


@pytest.mark.parametrize(
    ("name", "label_column"),
    [
        ("kaggle.csv", None),
        ("openml.csv", None),
        ("xy.npz", None),
        ("no_header.csv", None),
        ("no_header.csv.gz", None),
        ("zipped.zip", None),
        ("row_numbers.csv", None),
        ("semicolons.csv", None),
        ("floats.csv", None),
        ("counted.csv", None),
        ("kaggle.csv", "label"),
        ("other_name.csv", "truth"),
        ("other_name.csv", "-1"),
        ("label_last.csv", "784"),
    ],
)
def test_every_layout_holds_the_same_digits(files, sample, name, label_column):
    digits, origin = load_test(str(files / name), label_column)
    np.testing.assert_array_equal(digits.X, sample[0][:300])
    np.testing.assert_array_equal(digits.y, sample[1][:300])
    assert digits.X.dtype == np.uint8
    assert origin.startswith("all rows of")


def test_keras_layout_has_its_own_test_digits(files, sample):
    training, test, origin = load_training_and_test(str(files / "keras.npz"), seed=0)
    np.testing.assert_array_equal(training.X, sample[0][:300])
    np.testing.assert_array_equal(test.y, sample[1][:50])
    assert origin.endswith("with its own test digits")


@pytest.mark.parametrize("name", ["mnist", pytest.param("fashion", marks=pytest.mark.slow)])
def test_openml_data_are_fetched(mnist_home, monkeypatch, name):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(mnist_home))
    if name == "fashion" and not list(mnist_home.rglob("Fashion-MNIST*")):
        pytest.skip("SCIKIT_LEARN_DATA holds no download of Fashion-MNIST")
    training, test, _ = load_training_and_test(name, seed=0)
    assert (training.X.shape, test.X.shape) == ((60_000, 784), (10_000, 784))


def test_evaluate_prints_the_figures_of_scikit_learn(run, trained, sample, tmp_path):
    status, out, err = run("evaluate", trained[0] / "digits.skdigits", "--output", "worst.png")
    assert (status, err) == (0, "")
    X, y = sample
    predicted = skdigits.load(trained[0] / "digits.skdigits").predict(X)
    assert f"Accuracy: {100 * accuracy_score(y, predicted):.2f} %" in out
    table = [[float(v) for v in re.findall(r"[\d.]+", line)] for line in out.splitlines()[-12:-2]]
    figures = np.column_stack(
        [np.unique(y).astype(int), *precision_recall_fscore_support(y, predicted)]
    )
    np.testing.assert_allclose(table, figures * [1, 100, 100, 100, 1], atol=0.0051)
    matrix = pd.crosstab(y, predicted)
    for label in matrix.index:
        cells = [str(n) if n else r"\." for n in matrix.loc[label]]
        assert re.search(rf"│ {label} │ *" + " │ *".join(cells) + " │", out)
    assert Path("worst.png").read_bytes().startswith(b"\x89PNG")


def test_evaluate_puts_the_picture_beside_the_model(run, files, tmp_path, sample):
    X, y = sample
    model = DigitANNClassifier((32,), random_state=0).fit(X[:300], y[:300].astype(int))
    skdigits.save(model, tmp_path / "own.skdigits")
    status, out, _ = run("evaluate", "own.skdigits", "--data", files / "openml.csv")
    # Labels may be integers in the model and strings in the data.
    assert status == 0
    assert "Accuracy: 100.00 % (300 of 300" in out
    assert "No mistakes" in out
    assert run("evaluate", "own.skdigits")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own-mistakes.png", "own.skdigits"]


def test_calibration_error_by_hand():
    y = np.array(["0", "0", "1", "1"])
    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.9, 0.1], [0.4, 0.6]])
    predicted = np.array(["0", "0", "0", "1"])
    # Bins of 1/15: two at 0.95 both right, one at 0.9 wrong, one at 0.6 right.
    by_hand = (2 * 0.05 + 0.9 + 0.4) / 4
    assert expected_calibration_error(y, predicted, probabilities) == pytest.approx(by_hand)
    sure = np.array([[1.0, 0.0]])
    assert expected_calibration_error(y[:1], predicted[:1], sure) == 0


@pytest.mark.filterwarnings("default:.*fits failed")
def test_tune_ranks_and_saves(run, files, tmp_path):
    args = ["--data", files / "kaggle.csv", "--set", "epochs=3", "--cv", "2", "--jobs", "2"]
    status, out, err = run(
        "tune", "--grid", files / "good.toml", *args, "--output", "best.skdigits"
    )
    assert status == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best-results.csv",
        "best-search.png",
        "best.skdigits",
    ]
    assert Path("best-search.png").read_bytes().startswith(b"\x89PNG")
    assert "Picture saved: best-search.png" in out
    results = pd.read_csv("best-results.csv")
    assert results.rank_test_score.tolist() == [1, 2, 3]
    printed = re.findall(r"│ +(\d) │ +([\d.]+ %|failed) │", out)
    scores = [f"{100 * score:.2f} %" for score in results.mean_test_score[:2]]
    assert printed == [("1", scores[0]), ("2", scores[1]), ("3", "failed")]
    assert "Candidates: 3, each on 2 folds of 240 training digits" in out
    assert "Fit 7/7" in err
    # One candidate's failure is told in one line.
    assert re.search(r"^Warning: 2 fits failed: Got a loss of .*learning_rate below", err, re.M)
    model = skdigits.load("best.skdigits")
    assert model[-1].hidden_layer_sizes == (16, 8)
    best = f"--set hidden_layer_sizes=16,8 --set learning_rate={model[-1].learning_rate}"
    assert f"Best: {best}\n" in out


def test_ready_made_grids():
    small, medium = param_grid("small"), param_grid("medium", step="ann")
    assert np.prod([len(values) for values in small.values()]) == 8
    assert np.prod([len(values) for values in medium.values()]) == 36
    assert all(name.startswith("ann__") for name in medium)
    assert set(small) <= set(DigitANNClassifier().get_params())
    small["dropout"].clear()
    assert param_grid("small")["dropout"] == [0.0, 0.2]
    with pytest.raises(ValueError, match="Got name='large', expected one of 'small', 'medium'"):
        param_grid("large")


WRONG_DATA = {
    "missing.csv": "File not found: .*missing.csv$",
    "missing.png": "missing.png, expected one of sample, mnist, fashion, a folder, a .csv file, a",
    "unlabelled.csv": "with 784 columns, pixel0, pixel1, pixel2, …, pixel782, pixel783, expected a "
    r"label and 784 pixels.*--label-column",
    "narrow.csv": "with 700 columns, label, pixel0",
    "two_labels.csv": "with 786 columns, label, class, pixel0, .* --label-column",
    "range.csv": "with 300 in line 2, column pixel5, expected whole numbers from 0 to 255",
    "words.csv": "with ink in line 2, column pixel5, expected whole numbers from 0 to 255",
    "huge.csv": "with 9{19}…9{19} in line 7, column pixel9, expected whole numbers from 0 to 255",
    "negative.csv": "with -1 in line 2, column pixel5, expected",
    "infinite.csv": "with 1e999 in line 2, column pixel5, expected",
    "no_cell.csv": "with an empty cell in line 2, column pixel5, expected",
    "control.csv": r"with \\x1b\[2J in line 2, column pixel5, expected",
    "no_labels.csv": "with the label '' in line 2, column label, expected a whole number or a name",
    "fractions.csv": "with the label '0.5' in line 2, column label, expected a whole number",
    "few.csv": "Got 20 training rows in .*, expected enough of each class to hold 20 % back",
    "no_rows.csv": "without rows, expected at least 1",
    "empty.csv": "expected a CSV file: No columns to parse",
    "junk.csv": "with 2 columns, .*, expected a label and 784 pixels",
    "junk.csv.gz": "expected a CSV file",
    "cut.csv.gz": "expected a CSV file",
    "two.zip": "expected a CSV file: Multiple files found in ZIP file",
    "scaled.npz": "dtype float64 from 0.0 to 1.0, expected whole numbers from 0 to 255",
    "text.npz": "pixels of dtype <U3, expected whole numbers",
    "objects.npz": r"Python objects; of labels save y.astype\(str\)",
    "narrow.npz": r"pixels of shape \(300, 700\) .*expected \(n, 784\)",
    "lengths.npz": r"labels of shape \(299,\)",
    "names.npz": "the arrays images, labels, expected X and y, or x_train",
    "single.npz": "expected an archive of the arrays .*it is a single array",
    "cut.npz": "expected an archive of the arrays",
    "same.npz": "with the single label 3, expected two or more",
}


def refused(run, folder, *args, match):
    """Check that a command ends in one line that says why, with nothing written."""
    before = sorted(folder.rglob("*"))
    status, out, err = run(*args)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert re.search(f"^Error: .*{match}", err), err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("name", WRONG_DATA)
def test_wrong_data_are_refused(run, files, tmp_path, name):
    refused(run, tmp_path, "train", "--data", files / name, match=WRONG_DATA[name])


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ("--data sampel", "Got --data sampel, expected one of .*Did you mean sample"),
        ("--preset dense", "Got --preset dense, expected one of default, dense-128-64, "),
        ("--preset two-hiden", "Did you mean two-hidden"),
        ("--set dropuot=0.1", "Got --set dropuot=0.1, expected one of .*Did you mean dropout"),
        ("--set keras_callbacks=[]", "Got --set keras_callbacks=.*expected one of activation"),
        ("--set epochs", "Got --set epochs, expected PARAM=VALUE"),
        ("--set =5", "expected PARAM=VALUE"),
        ("--set random_state=4", "Got --set random_state=4, expected --seed 4"),
        ("--set dropout=1.5", r"Got dropout=1.5, expected a number in \[0, 1\)"),
        ("--set epochs=ten", "Got epochs='ten', expected 'auto' or an integer"),
        ("--set dropout=0.1,0.2,0.3", "with 3 entries, expected one number or one for each of"),
        ("--set class_weight={1:2}", r"labels \[1\], expected only the classes"),
        ("--output missing/digits", "Got missing/digits to write to, expected a folder that can"),
        ("--output .", "Got . to write to, expected a file or a new name"),
        ("--output /dev/null", "Got /dev/null to write to, expected a file or a new name"),
        ("--seed -1", "Invalid value for '--seed'"),
        ("--seed x", "Invalid value for '--seed'"),
        ("--epochs 3", r"No such option: --epochs\. Did you mean --set epochs=VALUE\?"),
        ("--epoch 3", "No such option: --epoch$"),
        ("more", "unexpected extra argument"),
    ],
)
def test_wrong_arguments_are_refused(run, tmp_path, args, match):
    refused(run, tmp_path, "train", *args.split(), match=match)


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ("--grid smal", "Got --grid smal, expected one of small, medium, a .toml file. Did you"),
        ("--grid missing.toml", "File not found: missing.toml"),
        ("--grid {}/scalar.toml", "Got dropout = 0.5 in .*, expected a list such as"),
        ("--grid {}/unknown.toml", "Got dropuot in .*Did you mean dropout"),
        ("--grid {}/wrong.toml", "Got dropout=1.5, expected"),
        ("--grid {}/layers.toml", r"Got dropout=\(0.1, 0.2\) with 2 entries"),
        (
            "--grid {}/broken.toml",
            "Got --grid .*, expected lines such as dropout = .*Invalid value",
        ),
        ("--grid {}/empty.toml", "without parameters, expected"),
        ("--cv 1", "Invalid value for '--cv'"),
        ("--cv 900", "Got --cv 900, expected at most 452, which"),
        ("--jobs 0", "Got --jobs 0, expected at least 1"),
        ("--output missing/x", "Got missing/x to write to, expected a folder"),
    ],
)
def test_wrong_searches_are_refused(run, files, tmp_path, args, match):
    refused(run, tmp_path, "tune", *args.format(files).split(), match=match)


def test_wrong_models_are_refused(run, files, trained, tmp_path):
    model = trained[0] / "digits.skdigits"
    skdigits.save(PixelScaler().fit(np.zeros((1, 784))), tmp_path / "scaler.skdigits")
    small = DigitANNClassifier((4,), epochs=1).fit(np.eye(64, dtype=np.float32), [0, 1] * 32)
    skdigits.save(small, tmp_path / "small.skdigits")
    (tmp_path / "cut.skdigits").write_bytes(model.read_bytes()[:5000])
    for args, match in [
        ([], "Missing argument 'MODEL'"),
        (["missing"], "File not found: missing"),
        (["."], r"Got the folder \., expected a file"),
        ([files / "kaggle.csv"], "Got the file .*, expected one that skdigits.save wrote"),
        (["cut.skdigits"], "Got the file .*, expected one that skdigits.save wrote"),
        (["scaler.skdigits"], "Got a PixelScaler in scaler.skdigits, expected a classifier"),
        (["small.skdigits"], "Got a classifier of 64 features .* 784 pixels"),
        ([model, "--data", files / "letters.npz"], "with the labels a, b, c, expected only those"),
        ([model, "--data", files / "narrow.npz"], r"pixels of shape \(300, 700\)"),
        ([model, "--output", "missing/x.png"], "Got missing/x.png to write to, expected a folder"),
        ([model, "--output", model], "expected a file other than the input"),
    ]:
        refused(run, tmp_path, "evaluate", *args, match=match)


def test_data_are_not_written_over(run, files, tmp_path):
    before = (files / "xy.npz").read_bytes()
    given = files / "xy.npz"
    refused(
        run, tmp_path, "train", "--data", given, "--output", given, match="expected a file other"
    )
    assert (files / "xy.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ("train --set optimizer=adan", "Got optimizer='adan', expected a Keras optimizer"),
        ("train --set learning_rate=1e30", "Got a loss of .*Try a learning_rate below"),
        ("tune --grid {}/diverging.toml --cv 2", "Got a loss of .*Try a learning_rate below"),
    ],
)
def test_what_only_training_finds_leaves_nothing(run, files, tmp_path, args, match):
    data = ["--data", files / "kaggle.csv", *TINY]
    status, _, err = run(*args.format(files).split(), *data)
    assert status == 2
    assert re.search(f"^Error: .*{match}", err.splitlines()[-1])
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def full_disk(monkeypatch, *folders):
    """Let files in some folders be written, but not replaced."""
    replace = os.replace

    def fail(source, target):
        if Path(target).parent in folders:
            raise OSError(28, "No space left on device", str(source))
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)


def test_train_saves_the_model_elsewhere_if_the_disk_is_full(
    run, files, tmp_path, monkeypatch, tmp_path_factory
):
    (tmp_path / "digits.skdigits").write_text("old")
    full_disk(monkeypatch, tmp_path)
    fallback = tmp_path_factory.mktemp("fallback")
    monkeypatch.setattr(tempfile, "tempdir", str(fallback))
    status, _, err = run("train", "--data", files / "kaggle.csv", *TINY)
    assert status == 2
    [saved] = fallback.iterdir()
    assert err.splitlines()[-1] == (
        "Error: No space left on device: digits.skdigits. "
        f"The trained model was saved as {saved} instead."
    )
    assert skdigits.load(saved)[-1].hidden_layer_sizes == 16
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_train_reports_if_no_folder_has_room(run, files, tmp_path, monkeypatch):
    full_disk(monkeypatch, tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    status, _, err = run("train", "--data", files / "kaggle.csv", *TINY)
    assert status == 2
    assert err.splitlines()[-1].endswith("could not be saved in another folder either.")
    assert list(tmp_path.iterdir()) == []


needs_full_device = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs the device /dev/full"
)


@pytest.mark.slow
@needs_full_device
@pytest.mark.parametrize("args", [["--version"], ["--help"], ["predict", "1.png"]])
def test_full_standard_output_is_one_line(tmp_path, sample, args):
    write_pictures(tmp_path, sample)
    with open("/dev/full", "w") as full:
        done = command(*args, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == "Error: No space left on device: standard output\n"


@needs_full_device
def test_train_keeps_the_model_if_the_report_cannot_be_written(files, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    printed = []

    class Full(io.StringIO):
        """A disk that is full after the first two lines."""

        def write(self, text):
            printed.append(text)
            if "Network" in text:
                raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(SystemExit) as exit:
        main(["train", "--data", str(files / "kaggle.csv"), *TINY])
    assert exit.value.code == 2
    assert "No space left on device: standard output" in capfd.readouterr().err
    assert skdigits.load("digits.skdigits")[-1].hidden_layer_sizes == 16


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a POSIX shell")
def test_closed_streams(tmp_path, sample):
    write_pictures(tmp_path, sample)
    line = f"{sys.executable} -m skdigits predict 1.png"
    for streams, status in [(">&-", 0), ("2>&-", 0), (">&- 2>&-", 0), ("| true; exit 0", 0)]:
        done = subprocess.run(
            ["sh", "-c", f"{line} {streams}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (status, "")


def command(*args, **kwargs):
    return subprocess.run(
        [sys.executable, "-m", "skdigits", *args], text=True, check=False, **kwargs
    )


def write_pictures(folder, sample, names=("1.png", "2.png", "3.png")):
    """Pictures of the digits that their names begin with."""
    X, y = sample
    for name in names:
        image = 255 - X[y == name[0]][0].reshape(28, 28)
        Image.fromarray(image).resize((140, 140)).save(folder / name)


def test_pattern_does_not_follow_links_in_loops(run, tmp_path, sample):
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    write_pictures(tmp_path, sample, ["1.png", "deep/2.png"][:1])
    write_pictures(tmp_path / "deep" / "deeper", sample, ["2.png"])
    for link in ("a", "b"):
        (tmp_path / link).symlink_to(".", target_is_directory=True)
    for pattern in (tmp_path / "**" / "*.png", "**/*.png", "[d]eep/**/*.png", "*/deeper/*.png"):
        status, out, _ = run("predict", pattern)
        assert status == 0
        labels = [line.split()[1] for line in out.splitlines()]
        assert labels == (
            ["1", "2"] if str(pattern).endswith("**/*.png") and "[" not in str(pattern) else ["2"]
        )
    # A link that the pattern names is followed.
    status, out, _ = run("predict", "a/deep/*/*.png")
    assert (status, len(out.splitlines())) == (0, 1)


HOSTILE_NAMES = [
    "1\x1b[2J\x1b]0;title\x07.png",
    "2.png  9  100.00%\n2.png",
    "3\u202e.png",
    "bad\x1b.png",
]


@pytest.mark.skipif(os.name == "nt", reason="not allowed in names")
@pytest.mark.parametrize(
    "options", [[], ["--csv"], ["--json"], ["--number"], ["--output", "p.csv"]]
)
def test_names_of_files_are_escaped(run, tmp_path, sample, options):
    write_pictures(tmp_path, sample, HOSTILE_NAMES[:3])
    (tmp_path / HOSTILE_NAMES[3]).touch()
    status, out, err = run("predict", ".", *options)
    if "--output" in options:
        out += Path("p.csv").read_text()
    assert status == 1
    shown = (out + err).replace("\n", "")
    assert shown.isprintable()
    assert r"\x1b[2J\x1b]0;title\x07.png" in out.replace("\\u001b", r"\x1b").replace(
        "\\u0007", r"\x07"
    )
    if not options:
        assert len(out.splitlines()) == 3
        assert len(err.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="not allowed in names")
@pytest.mark.parametrize("options", [[], ["--number"]])
def test_names_in_figures_are_plain_text(run, tmp_path, sample, options):
    # An unfinished formula of matplotlib, and a character that no font has.
    write_pictures(tmp_path, sample, ["1$x$\x1b_{$.png"])
    status, out, err = run("predict", ".", "--explain", "seen.png", *options)
    assert (status, err) == (0, "Picture saved: seen.png\n")
    assert out.startswith(r"1$x$\x1b_{$.png  1")
    assert Path("seen.png").stat().st_size > 5_000


def test_labels_in_figures_are_plain_text(run, tmp_path, sample):
    y = np.where(sample[1][:60] == "1", "$x$_{$", "$\x1b")
    np.savez("d.npz", X=sample[0][:60], y=y)
    model = DigitANNClassifier((16,), epochs=1, random_state=0).fit(sample[0][:60], y[::-1])
    skdigits.save(model, "m.skdigits")
    status, out, err = run("evaluate", "m.skdigits", "--data", "d.npz")
    assert status == 0
    assert "Picture saved: m-mistakes.png" in out
    assert "Glyph" not in err


def test_csv_cells_are_no_formulas(run, tmp_path, sample):
    write_pictures(tmp_path, sample, ["1.png"])
    (tmp_path / "1.png").rename(tmp_path / "=cmd|'calc'!A0.png")
    status, out, _ = run("predict", "=cmd|'calc'!A0.png", "--csv")
    assert status == 0
    assert list(csv.reader(io.StringIO(out)))[1][0] == "'=cmd|'calc'!A0.png"


def test_labels_are_escaped(run, tmp_path, sample):
    X, y = sample[0][:100], np.where(sample[1][:100] == "1", "\x1b[31mone", "=2")
    model = DigitANNClassifier((16,), epochs=1, random_state=0).fit(X, y)
    skdigits.save(model, "m.skdigits")
    np.savez("d.npz", X=X, y=y)
    write_pictures(tmp_path, sample, ["1.png"])
    for args in (
        ["evaluate", "m.skdigits", "--data", "d.npz"],
        ["predict", "1.png", "--model", "m.skdigits"],
        ["predict", "1.png", "--model", "m.skdigits", "--csv"],
        ["evaluate", "m.skdigits", "--data", "sample"],
        ["train", "--data", "d.npz", *TINY],
    ):
        _, out, err = run(*args)
        assert "\x1b" not in out + err
        assert not re.search("(^|,)=2", out, re.MULTILINE)


def test_model_for_pictures(run, tmp_path, sample):
    X, y = sample[0][:60], sample[1][:60]
    pictures = [Image.fromarray(255 - row.reshape(28, 28)).resize((140, 140)) for row in X]
    classifier = DigitANNClassifier((16,), epochs=2, random_state=0)
    skdigits.save(make_pipeline(DigitImageNormalizer(), classifier).fit(pictures, y), "m.skdigits")
    model = skdigits.load("m.skdigits")
    pictures[0].save("p.png")
    status, out, _ = run("predict", "p.png", "--model", "m.skdigits")
    assert (status, out.split()[1]) == (0, model.predict(["p.png"])[0])
    status, out, _ = run("evaluate", "m.skdigits")
    accuracy = model[1:].score(*sample)
    assert status == 0
    assert f"Accuracy: {100 * accuracy:.2f} %" in out


def test_table_of_pixels_becomes_a_submission(run, files, sample):
    for name in ("unlabelled.csv", "no_header.csv"):
        status, out, err = run("predict", files / name, "--output", "submission.csv")
        assert (status, out, err) == (0, "", "300 predictions saved: submission.csv\n")
        submission = pd.read_csv("submission.csv")
        assert list(submission) == ["ImageId", "Label"]
        assert submission.ImageId.tolist() == list(range(1, 301))
        assert (submission.Label == sample[1][:300].astype(int)).mean() > 0.98
    status, out, _ = run("predict", files / "unlabelled.csv", "--json")
    assert [record["ImageId"] for record in json.loads(out)[:2]] == ["1", "2"]


@pytest.mark.parametrize(
    ("args", "match"),
    [
        ("{}/missing.csv", "File not found: .*missing.csv"),
        ("{}/narrow.csv", "with 700 columns"),
        ("{}/huge.csv", "in line 7, column pixel9"),
        ("{0}/few.csv {0}/few.csv", "expected a CSV file alone"),
        ("{}/few.csv --number", "expected a CSV file alone"),
        ("{}/few.csv --explain x.png", "expected a CSV file alone"),
        ("{}/few.csv --output missing/x.csv", "expected a folder that can be written"),
        ("{0}/few.csv --output {0}/few.csv", "expected a file other than the input"),
        ("** --json --csv", "expected one of them"),
        ("{}/**x/*.png", "Got the pattern .*expected files that match it|Invalid pattern"),
    ],
)
def test_wrong_predictions_are_refused(run, files, tmp_path, args, match):
    refused(run, tmp_path, "predict", *args.format(files).split(), match=match)


@pytest.mark.parametrize("label_column", ["truth", "785", "-786", "9" * 400])
def test_wrong_label_column_names_those_that_exist(run, files, tmp_path, label_column):
    refused(
        run, tmp_path, "train", "--data", files / "kaggle.csv", f"--label-column={label_column}",
        match="expected one of the columns of .*, label, pixel0, .*, or an index from 0 to 784",
    )  # fmt: skip


@pytest.mark.filterwarnings("default:1 pictures could not be read")
def test_paths_and_labels(run, tmp_path, sample):
    (tmp_path / "scans").mkdir()
    write_pictures(tmp_path / "scans", sample)
    (tmp_path / "scans" / "bad.png").touch()
    table = pd.DataFrame({"file": ["1.png", "2.png", "3.png", "bad.png"], "label": [1, 2, 7, 0]})
    table.to_csv("scans/header.csv", index=False)
    table[["label", "file"]].to_csv("scans/plain.csv", index=False, header=False)
    for name in ("header.csv", "plain.csv"):
        status, out, err = run("evaluate", "pretrained", "--data", f"scans/{name}", "--output", "w")
        assert status == 0
        assert "Accuracy: 66.67 % (2 of 3" in out
        assert "\n  scans/3.png  true 7, predicted 3 (" in out
        assert re.fullmatch("Warning: 1 pictures could not be read .*bad.png.*\n", err)


@pytest.fixture(scope="module")
def own(tmp_path_factory, sample):
    """A folder of pictures for each label, and one file that is no picture."""
    folder = tmp_path_factory.mktemp("own")
    X, y = sample
    for label in "127":
        (folder / label).mkdir()
        for i, row in enumerate(X[y == label][:12]):
            Image.fromarray(255 - row.reshape(28, 28)).resize((56, 56)).save(
                folder / label / f"{i:02}.png"
            )
    (folder / "7" / "bad.png").touch()
    return folder


@pytest.mark.filterwarnings("default:1 pictures could not be read")
def test_folder_of_labelled_pictures(run, own):
    status, out, err = run("train", "--data", own, "--output", "own.skdigits", *TINY)
    assert status == 0
    assert "20 % of it held out as test digits" in out
    assert "Training: 28 digits, 3 held back for validation" in out
    assert re.search("^Warning: 1 pictures could not be read .*bad.png", err, re.MULTILINE)
    status, out, _ = run("evaluate", "own.skdigits", "--data", own)
    model = skdigits.load("own.skdigits")
    assert f"Data: all rows of {own}, which training should not have seen, 36 digits" in out
    listed = re.findall(r"^  (\S+\.png)  true (\d), predicted (\d) \(", out, re.MULTILINE)
    names = list(own.rglob("??.png"))
    predicted = dict(zip(map(str, names), model.predict(read_digit_images(names)), strict=True))
    n_wrong = sum(label != Path(name).parent.name for name, label in predicted.items())
    assert len(listed) == min(n_wrong, 20) > 0
    for name, true, label in listed:
        assert (true, label) == (Path(name).parent.name, predicted[name])
        assert true != label


@pytest.mark.filterwarnings("default:1 pictures could not be read")
def test_train_starts_from_a_saved_model(run, own, files):
    assert run("train", "--data", "sample", "--output", "start.skdigits", *TINY)[0] == 0
    status, out, _ = run(
        "train", "--start-from", "start.skdigits", "--data", own, "--output", "tuned.skdigits"
    )
    assert status == 0
    assert "Fine-tuning start.skdigits on 28 digits" in out
    assert re.search("^Test accuracy before: ", out, re.MULTILINE)
    assert skdigits.load("tuned.skdigits").classes_.tolist() == list("0123456789")
    status, _, err = run("train", "--start-from", "start.skdigits", "--data", own, *TINY)
    assert status == 2
    assert "Got --start-from with --preset or --set" in err


def test_folder_with_its_own_test_digits(own, tmp_path):
    shutil.copytree(own / "1", tmp_path / "training" / "1")
    shutil.copytree(own / "2", tmp_path / "training" / "2")
    shutil.copytree(own / "2", tmp_path / "testing" / "2")
    training, test, origin = load_training_and_test(str(tmp_path), seed=0)
    assert (len(training.y), len(test.y)) == (24, 12)
    assert origin.endswith("with its own test digits")


def test_wrong_folders_are_refused(run, tmp_path, own):
    (tmp_path / "empty").mkdir()
    for args, match in [
        (["--data", "empty"], "empty"),
        (["--data", own / "1"], "01|1"),
        (["--data", own, "--label-column", "0"], "expected a CSV file"),
        (["--data", "sample", "--label-column", "0"], "expected a CSV file"),
    ]:
        refused(run, tmp_path, "train", *args, match=match)


@pytest.mark.parametrize("suffix", [".onnx", ".keras"])
def test_export_of_the_packaged_network(run, sample, suffix):
    X = sample[0][:20]
    expected = load_pretrained().predict_proba(X)
    status, _, err = run("export", "pretrained", f"digits{suffix}")
    assert (status, err) == (0, "")
    if suffix == ".onnx":
        ort = pytest.importorskip("onnxruntime")
        session = ort.InferenceSession("digits.onnx")
        found = session.run(["probabilities"], {"X": X.astype(np.float32)})[0]
    else:
        import keras

        found = keras.models.load_model("digits.keras").predict(X, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_wrong_exports_are_refused(run, tmp_path):
    for args, match in [
        ("pretrained digits.pb", "expected a name that ends with .onnx, .keras, .html"),
        ("pretrained digits.keras --dtype uint8", "Got --dtype uint8 .*expected it for ONNX only"),
        ("missing digits.keras", "File not found: missing"),
    ]:
        refused(run, tmp_path, "export", *args.split(), match=match)


def test_help_shows_examples(run):
    status, out, _ = run("--help")
    assert status == 0
    for line in ("predict photo.jpg scans/", "train --data digits.csv", "evaluate digits.skdigits"):
        assert re.search(rf"^ *skdigits {line}", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("command", "args", "picture", "others"),
    [
        ("train", TINY, "m-curves.png", ["m.skdigits"]),
        (
            "tune",
            [*TINY, "--cv", "2", "--grid", "one.toml"],
            "m-search.png",
            ["m-results.csv", "m.skdigits", "one.toml"],
        ),
    ],
)
def test_without_matplotlib_only_the_picture_is_missing(
    run, files, tmp_path, monkeypatch, command, args, picture, others
):
    if command == "tune":
        Path("one.toml").write_text("dropout = [0.1]")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    status, out, err = run(command, "--data", files / "kaggle.csv", *args, "--output", "m.skdigits")
    assert status == 0
    assert re.search(rf"No picture {picture}: matplotlib is not .*skdigits\[plot\]", out)
    assert "matplotlib" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == others


@pytest.mark.filterwarnings("default:X does not have valid feature names")
def test_warnings_take_one_line(run, files, trained):
    model = skdigits.load(trained[0] / "digits.skdigits")
    names = pd.DataFrame(np.zeros((1, 784), np.uint8)).add_prefix("pixel")
    model[0].fit(names)
    skdigits.save(model, "named.skdigits")
    status, _, err = run("evaluate", "named.skdigits", "--data", files / "xy.npz")
    assert status == 0
    assert re.fullmatch("Warning: X does not have valid feature names.*\n", err)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise")
@pytest.mark.parametrize("command", ["train --set epochs=400", "tune --jobs 2 --set epochs=400"])
def test_ctrl_c_ends_it_without_a_trace(tmp_path, command):
    process = subprocess.Popen(
        [sys.executable, "-m", "skdigits", *command.split(), "--set", "batch_size=8"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    # The line before training begins.
    while not process.stdout.readline().startswith(("Training", "Candidates")):
        assert process.poll() is None
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_narrow_terminal_without_unicode_loses_no_number(trained):
    done = subprocess.run(
        [sys.executable, "-m", "skdigits", "evaluate", "digits.skdigits", "--output", "w.png"],
        cwd=trained[0],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "40"},
    )
    out = done.stdout.decode("ascii")
    assert "?" not in out
    assert len(re.findall(r"^\| *\d \|( +[\d.]+ \|){10}$", out, re.MULTILINE)) == 10
