"""Export as one HTML page."""

import base64
import json
import math
import re

import numpy as np
import pytest
from browser import STROKES, chromium
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdigits import DigitANNClassifier, DigitDeskewer, PixelScaler, load_pretrained
from skdigits._activations import ACTIVATIONS
from skdigits._cli import main
from skdigits._export.html_page import export_html
from skdigits.datasets import load_mnist_sample
from skdigits.preprocessing import UnreadableImageError, read_digit_images


@pytest.fixture(scope="module")
def sample():
    return load_mnist_sample("test", return_X_y=True)


@pytest.fixture(scope="module")
def bytes_model(sample):
    return DigitANNClassifier((16,), epochs=2, random_state=0).fit(sample[0][:200], sample[1][:200])


def test_export_of_the_packaged_network(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    export_html(load_pretrained(), path)
    page = path.read_text("utf-8")
    assert path.stat().st_size < 3_000_000
    assert [*tmp_path.iterdir()] == [path]
    # Nothing is loaded: no address, no module, no file, and a policy that forbids all of them.
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|^import |\bsrc=|\bfetch\(|\.css\"", page, re.MULTILINE)
    about = json.loads(re.search(r'id="about">(.*?)</script>', page)[1])
    assert about["labels"] == [str(label) for label in range(10)]


def test_export_escapes_labels(bytes_model, sample, tmp_path):
    y = np.where(sample[1][:200] == "0", "</script><b>", sample[1][:200])
    model = DigitANNClassifier((16,), epochs=1, random_state=0).fit(sample[0][:200], y)
    export_html(model, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "</script><b>" not in page
    about = json.loads(re.search(r'id="about">(.*?)</script>', page)[1])
    assert about["labels"] == model.classes_.tolist()


def test_export_refuses_other_models(bytes_model, sample, tmp_path):
    path = tmp_path / "page.html"
    for model, match in [
        (StandardScaler(), "Got StandardScaler, expected PixelScaler and DigitANNClassifier"),
        (make_pipeline(DigitDeskewer(), bytes_model), "Got DigitDeskewer, DigitANNClassifier, exp"),
        (make_pipeline(StandardScaler(), bytes_model), "Got StandardScaler, DigitANN"),
    ]:
        with pytest.raises(TypeError, match=match):
            export_html(model, path)
    with pytest.raises(ValueError, match="fitted on floats without PixelScaler or on uint8 with"):
        export_html(make_pipeline(PixelScaler(), bytes_model), path)
    small = DigitANNClassifier((16,), epochs=1).fit(np.eye(10, 64), np.arange(10))
    with pytest.raises(ValueError, match="Got a model of 64 features, expected 784 pixels"):
        export_html(small, path)
    with pytest.raises(NotFittedError):
        export_html(DigitANNClassifier(), path)
    assert not path.exists()


def test_export_command(tmp_path, capsys):
    path = tmp_path / "digits.html"
    with pytest.raises(SystemExit) as ended:
        main(["export", "pretrained", str(path)])
    assert ended.value.code == 0
    assert "HTML page saved" in capsys.readouterr().out
    assert path.read_text("utf-8").startswith("<!doctype html>")
    with pytest.raises(SystemExit) as ended:
        main(["export", "pretrained", str(path), "--dtype", "uint8"])
    assert ended.value.code == 2
    assert "expected it for ONNX only" in capsys.readouterr().err


# In a browser


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_export(browser, tmp_path):
    """Open the exported page of a model. It must not request anything nor log errors."""
    contexts, requested, errors = [], [], []

    def open_export(model):
        path = tmp_path / "page.html"
        export_html(model, path)
        contexts.append(browser.new_context(viewport={"width": 390, "height": 844}))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: requested.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(path.as_uri())
        page.wait_for_function("globalThis.skdigits")
        return page

    yield open_export
    for context in contexts:
        context.close()
    assert all(url.startswith(("file:", "data:")) for url in requested)
    assert not errors


def predict_in(page, rows):
    return np.array(
        page.evaluate("rows => rows.map(row => skdigits.network.predict(row))", rows.tolist())
    )


@pytest.mark.slow
def test_exported_probabilities_agree(open_export, sample):
    model = load_pretrained()
    found = predict_in(open_export(model), sample[0])
    expected = model.predict_proba(sample[0])
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.999
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_exported_activations_agree(open_export, sample, activation):
    X, y = sample[0][:200], sample[1][:200]
    settings = {"activation": activation, "epochs": 3, "random_state": 0, "input_blur": 0.1}
    model = DigitANNClassifier((16, 16), **settings).fit(X, y)
    # Rounded weights change the probabilities a little.
    np.testing.assert_allclose(predict_in(open_export(model), X), model.predict_proba(X), atol=0.03)


def drawing(digit, rng):
    """Strokes of a digit, of another size, slant and place at each call."""
    angle, size = rng.uniform(-0.25, 0.25), rng.uniform(0.25, 1.1)
    turned = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    stretched = size * rng.uniform(0.85, 1.15, 2) * turned
    place = rng.uniform(0.46, 0.54, 2)
    points = [np.array(stroke) - 0.5 for stroke in STROKES[digit]]
    points = [each + rng.normal(0, 0.008, each.shape) for each in points]
    return [(each @ stretched + place).clip(0.03, 0.97).tolist() for each in points]


@pytest.mark.slow
def test_exported_page_reads_drawings_as_python_does(open_export):
    model, rng = load_pretrained(), np.random.default_rng(0)
    page = open_export(model)
    same, n_drawings = 0, 300
    for i in range(n_drawings):
        pixels, url = page.evaluate(
            """strokes => {
              const { pad, toMnistForm } = skdigits;
              pad.strokes = strokes.map(each => each.map(([x, y]) => [560 * x, 560 * y]));
              pad.paint();
              return [toMnistForm(pad.canvas), pad.canvas.toDataURL()];
            }""",
            drawing(i % 10, rng),
        )
        try:
            row = read_digit_images(base64.b64decode(url.partition(",")[2]))
        except UnreadableImageError:
            continue
        same += model.predict([pixels])[0] == model.predict(row)[0]
    assert same >= 0.98 * n_drawings


@pytest.mark.slow
def test_exported_page_shows_answers(open_export):
    page = open_export(load_pretrained())
    text = "text => document.querySelector('#answer .digits').innerText === text"
    box = page.locator("#pad canvas").bounding_box()
    for digit in (7, 3):
        for stroke in STROKES[digit]:
            points = [
                (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke
            ]
            page.mouse.move(*points[0])
            page.mouse.down()
            for point in points[1:]:
                page.mouse.move(*point, steps=6)
            page.mouse.up()
        page.wait_for_function(text, arg=str(digit))
        assert page.locator("#answer .best .name").inner_text() == str(digit)
        page.get_by_role("button", name="Clear").click()
        page.wait_for_function(text, arg="")
    assert page.locator("#answer li").count() == 10
    assert page.get_by_role("button").count() == 2
    width, height = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert width <= 390
    assert height <= 844
