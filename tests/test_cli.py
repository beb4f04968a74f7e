import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

import skdigits
from skdigits import DigitANNClassifier, PixelScaler
from skdigits._cli import main
from skdigits._cli.data import test_only as read_test
from skdigits._cli.data import training_and_test
from skdigits._cli.evaluate import expected_calibration_error
from skdigits._cli.quiet import _without_noise
from skdigits._cli.screen import digit_picture, probability_bars
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
    few.to_csv(folder / "few.csv", index=False)
    few[:0].to_csv(folder / "no_rows.csv", index=False)
    kaggle.iloc[:, :700].to_csv(folder / "narrow.csv", index=False)
    kaggle.to_csv(folder / "no_names.csv", index=False, header=False)
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
    training, test, _ = training_and_test(str(files / "kaggle.csv"), seed=1)
    rows = {row.tobytes() for row in training.X}
    assert (len(training.y), len(test.y)) == (240, 60)
    assert not any(row.tobytes() in rows for row in test.X)
    again = training_and_test(str(files / "kaggle.csv"), seed=1)
    np.testing.assert_array_equal(again.test.X, test.X)
    shares = [np.unique(part.y, return_counts=True)[1] / len(part.y) for part in (training, test)]
    np.testing.assert_allclose(*shares, atol=0.02)


@pytest.mark.parametrize("name", ["kaggle.csv", "openml.csv", "xy.npz"])
def test_every_layout_holds_the_same_digits(files, sample, name):
    digits, origin = read_test(str(files / name))
    np.testing.assert_array_equal(digits.X, sample[0][:300])
    np.testing.assert_array_equal(digits.y, sample[1][:300])
    assert digits.X.dtype == np.uint8
    assert origin.startswith("all rows of")


def test_keras_layout_has_its_own_test_digits(files, sample):
    training, test, origin = training_and_test(str(files / "keras.npz"), seed=0)
    np.testing.assert_array_equal(training.X, sample[0][:300])
    np.testing.assert_array_equal(test.y, sample[1][:50])
    assert origin.endswith("with its own test digits")


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_openml_data_are_fetched(mnist_home, monkeypatch, name):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(mnist_home))
    if name == "fashion" and not list(mnist_home.rglob("Fashion-MNIST*")):
        pytest.skip("SCIKIT_LEARN_DATA holds no download of Fashion-MNIST")
    training, test, _ = training_and_test(name, seed=0)
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
    "missing.csv": "missing.csv, expected a file that is there",
    "missing.png": "missing.png, expected one of sample, mnist, fashion, a .csv file, a .npz file",
    "unlabelled.csv": "with 0 label columns and 784 others, expected .*label, pixel0",
    "narrow.csv": "with 1 label columns and 699 others",
    "no_names.csv": "with 0 label columns and 785 others",
    "range.csv": "with 300 in line 2, column pixel5, expected whole numbers from 0 to 255",
    "words.csv": "with ink in line 2, column pixel5, expected whole numbers from 0 to 255",
    "no_labels.csv": "labels of dtype .*, some missing",
    "fractions.csv": "labels of dtype float64, some missing or not whole",
    "few.csv": "Got 20 training rows in .*, expected enough of each class to hold 20 % back",
    "no_rows.csv": r"pixels of shape \(0, 784\) .* with n at least 1",
    "empty.csv": "expected a table with the columns .*No columns to parse",
    "junk.csv": "expected .*label, pixel0",
    "scaled.npz": "dtype float64 from 0.0 to 1.0, expected whole numbers from 0 to 255",
    "text.npz": "pixels of dtype <U3, expected whole numbers",
    "objects.npz": r"Python objects; of labels save y.astype\(str\)",
    "narrow.npz": r"pixels of shape \(300, 700\) .*expected \(n, 784\)",
    "lengths.npz": r"labels of shape \(299,\)",
    "names.npz": "the arrays images, labels, expected X and y, or x_train",
    "single.npz": "expected an archive of the arrays .*it is a single array",
    "cut.npz": "expected an archive of the arrays",
    "same.npz": "with the one label 3, expected two or more",
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
        ("--grid missing.toml", "Got --grid missing.toml, expected a file that is there"),
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
        (["missing"], "Got MODEL missing, expected a file that is there"),
        (["."], "Got MODEL ., expected a file that is there"),
        ([files / "kaggle.csv"], "Got the file .*, expected one that skdigits.save wrote"),
        (["cut.skdigits"], "Got the file .*, expected one that skdigits.save wrote"),
        (["scaler.skdigits"], "Got a PixelScaler in scaler.skdigits, expected a classifier"),
        (["small.skdigits"], "Got a classifier of 64 features .* 784 pixels"),
        ([model, "--data", files / "letters.npz"], "with the labels a, b, c, expected only those"),
        ([model, "--data", files / "narrow.npz"], r"pixels of shape \(300, 700\)"),
        ([model, "--output", "missing/x.png"], "Got missing/x.png to write to, expected a folder"),
        ([model, "--output", model], "expected another file than the one to read"),
    ]:
        refused(run, tmp_path, "evaluate", *args, match=match)


def test_data_are_not_written_over(run, files, tmp_path):
    before = (files / "xy.npz").read_bytes()
    given = files / "xy.npz"
    refused(
        run, tmp_path, "train", "--data", given, "--output", given, match="expected another file"
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


def test_a_failing_save_leaves_the_old_file(run, files, tmp_path, monkeypatch):
    (tmp_path / "digits.skdigits").write_text("old")

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skdigits.persistence.write_atomically", full)
    status, _, err = run("train", "--data", files / "kaggle.csv", *TINY)
    assert status == 2
    assert err.splitlines()[-1] == "Error: [Errno 28] No space left on device"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


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


def test_only_noise_is_held_back(capfd):
    with _without_noise():
        os.write(2, b"I0000 00:00:1795271827.884644 8099 port.cc:153] oneDNN is on.\n")
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
        os.write(2, b"To enable the following instructions: AVX2, rebuild TensorFlow\n")
        os.write(2, b"libcuda.so: cannot open shared object file\n")
        os.write(2, b"Segmentation fault")
    assert capfd.readouterr().err == (
        "libcuda.so: cannot open shared object file\nSegmentation fault"
    )
    with pytest.raises(RuntimeError, match="broken"), _without_noise():
        raise RuntimeError("broken")
    os.write(2, b"still there\n")
    assert capfd.readouterr().err == "still there\n"


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
