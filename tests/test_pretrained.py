"""The network inside the package, and `skdigits predict` with it."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import skdigits
from skdigits import DigitANNClassifier, load_pretrained
from skdigits._cli import main
from skdigits._packed_network import quantised, read_network, write_network
from skdigits.datasets import fetch_mnist, load_mnist_sample


@pytest.fixture(scope="module")
def model():
    return load_pretrained()


@pytest.fixture(scope="module")
def sample():
    return load_mnist_sample(subset="test", return_X_y=True)


def test_accuracy_on_the_test_sample(model, sample):
    assert model.score(*sample) > 0.985


@pytest.mark.mnist
def test_accuracy_on_the_whole_test_set(model, mnist_home):
    X, y = fetch_mnist(subset="test", return_X_y=True, data_home=mnist_home)
    assert model.score(X, y) > 0.994


def test_row_without_ink_has_equal_probabilities(model, sample):
    probabilities = model.predict_proba(np.zeros((2, 784), np.uint8))
    assert probabilities.max() < 0.15
    X, _ = sample
    faintest = X[X.sum(axis=1).argsort()[:20]]
    assert model.predict_proba(faintest).max(axis=1).min() > 0.5


def test_pretrained_pipeline_can_be_saved(model, sample, tmp_path):
    assert model.classes_.tolist() == list("0123456789")
    assert model.n_features_in_ == 784
    assert model[-1].n_iter_ == len(model[-1].loss_curve_) > 0
    skdigits.save(model, tmp_path / "model.skdigits")
    again = skdigits.load(tmp_path / "model.skdigits")
    np.testing.assert_array_equal(again.predict_proba(sample[0]), model.predict_proba(sample[0]))


def test_warm_start_trains_a_copy_further(model, sample):
    X, y = sample
    model = load_pretrained()
    model[-1].set_params(warm_start=True, epochs=1, optimizer="sgd", augmentation=None)
    model[-1].set_params(learning_rate=1e-4)
    before = model[-1].coefs_[0].copy()
    model.fit(X, y)
    assert not np.array_equal(model[-1].coefs_[0], before)
    np.testing.assert_array_equal(load_pretrained()[-1].coefs_[0], before)


def test_loading_and_predicting_do_not_import_tensorflow():
    code = (
        "import sys, skdigits, numpy as np\n"
        "skdigits.load_pretrained().predict(np.zeros((1, 784), np.uint8))\n"
        "late = {'tensorflow', 'keras', 'scikeras', 'safetensors', 'matplotlib'}\n"
        "assert not late & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_file_size():
    from importlib.resources import files

    assert (files("skdigits") / "data" / "pretrained.npz").stat().st_size <= 2_500_000


def test_rounding_changes_weights_by_at_most_half_a_step():
    kernel = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    kernel[:, 3] = 0
    levels, steps = quantised(kernel)
    assert levels.dtype == np.int8
    assert np.abs(levels.astype(int)).max() == 127
    assert (np.abs(levels * steps - kernel) <= 0.5001 * steps).all()


def test_packed_network_round_trip(sample):
    X, y = sample
    fitted = DigitANNClassifier((32,), "tanh", epochs=5, random_state=0).fit(X, y)
    file = io.BytesIO()
    write_network(file, fitted._network, {"note": "for a test"})
    file.seek(0)
    network, about = read_network(file)
    assert about["note"] == "for a test"
    # The temperature is in the weights, and pixels come scaled.
    np.testing.assert_allclose(
        network.logits(X / np.float32(255)), fitted.decision_function(X), atol=0.3
    )


# skdigits predict


@pytest.fixture
def pictures(tmp_path, sample):
    """Ten digits as people have them: large, black on white."""
    X, y = sample
    for label in "0123456789":
        image = 255 - X[y == label][0].reshape(28, 28)
        Image.fromarray(image).resize((140, 140)).save(tmp_path / f"{label}.png")
    return tmp_path


@pytest.fixture
def run(capsys):
    def call(*args):
        with pytest.raises(SystemExit) as exit:
            main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return exit.value.code, out, err

    return call


def test_predict_prints_one_line_for_each_picture(run, pictures):
    code, out, err = run("predict", pictures)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines] == [str(pictures / f"{i}.png") for i in range(10)]
    assert [int(line[1]) for line in lines] == list(range(10))
    assert all(line[2].endswith("%") for line in lines)


def test_predict_takes_patterns_and_names(run, pictures):
    code, out, _ = run("predict", pictures / "[3-5].png", pictures / "7.png")
    assert code == 0
    assert [int(line.split()[1]) for line in out.splitlines()] == [3, 4, 5, 7]


def test_predict_json(run, pictures):
    code, out, _ = run("predict", "--json", pictures / "2.png", pictures / "8.png")
    found = json.loads(out)
    assert code == 0
    assert [record["label"] for record in found] == ["2", "8"]
    assert sum(found[0]["probabilities"].values()) == pytest.approx(1, abs=1e-4)


def test_predict_csv_has_errors_of_unreadable_pictures(run, pictures):
    (pictures / "notes.png").write_text("no picture")
    Image.new("L", (60, 60), 255).save(pictures / "blank.png")
    code, out, _ = run("predict", "--csv", pictures)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 1
    assert len(rows) == 12
    wrong = {row["file"].rpartition("/")[2]: row["error"] for row in rows if row["error"]}
    assert set(wrong) == {"notes.png", "blank.png"}
    assert "no picture" in wrong["notes.png"]
    assert [row["label"] for row in rows if row["label"]] == [str(i) for i in range(10)]


def test_predict_continues_after_an_unreadable_picture(run, pictures):
    code, out, err = run("predict", pictures / "1.png", pictures / "gone.png", pictures / "2.png")
    assert code == 1
    assert [line.split()[1] for line in out.splitlines()] == ["1", "2"]
    assert "gone.png" in err
    assert "Traceback" not in err


def test_predict_with_a_saved_model(run, pictures, sample, tmp_path):
    skdigits.save(load_pretrained(), tmp_path / "own.skdigits")
    code, out, _ = run("predict", "--model", tmp_path / "own.skdigits", pictures / "6.png")
    assert (code, out.split()[1]) == (0, "6")


def test_predict_explain_saves_a_figure(run, pictures, tmp_path):
    pytest.importorskip("matplotlib")
    code, _, err = run("predict", pictures, "--explain", tmp_path / "seen.png")
    assert code == 0
    assert "Picture saved" in err
    with Image.open(tmp_path / "seen.png") as picture:
        assert min(picture.size) > 300


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--json", "--csv", "x.png"], "expected one of them"),
        (["nowhere/*.png"], "expected files that match it"),
        (["--model", "nowhere.skdigits", "x.png"], "nowhere.skdigits"),
    ],
)
def test_predict_refuses_wrong_arguments(run, args, message):
    code, out, err = run("predict", *args)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_predict_refuses_an_empty_folder(run, tmp_path):
    code, _, err = run("predict", tmp_path)
    assert code == 2
    assert "expected pictures in it" in err


def test_predict_does_not_import_tensorflow(pictures):
    code = (
        "import sys\nfrom skdigits._cli import main\n"
        "try: main(['predict', sys.argv[1]])\nexcept SystemExit as end: assert not end.code\n"
        "late = {'tensorflow', 'keras', 'scikeras', 'safetensors', 'matplotlib'}\n"
        "assert not late & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(pictures / "4.png")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split()[1] == "4"
