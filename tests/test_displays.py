import sys
from itertools import combinations

import numpy as np
import pytest
from scipy import sparse

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402

from skdigits import DigitANNClassifier, PixelScaler  # noqa: E402
from skdigits.datasets import load_mnist_sample  # noqa: E402
from skdigits.displays import (  # noqa: E402
    DeformedDigitsDisplay,
    DigitGridDisplay,
    HiddenUnitsDisplay,
    SearchResultsDisplay,
    TrainingCurveDisplay,
)

HISTORY = {
    "loss": [1.0, 0.5, 0.3],
    "accuracy": [0.6, 0.8, 0.9],
    "val_loss": [0.8, 0.6, 0.7],
    "val_accuracy": [0.7, 0.85, 0.85],
}
RESULTS = {"params": [{"dropout": 0.0}, {"dropout": 0.5}], "mean_test_score": [0.9, 0.8]}
CLOTHES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker"]
CLOTHES = np.array([*CLOTHES, "Bag", "Ankle boot"])


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def sample():
    X, y = load_mnist_sample("train", return_X_y=True)
    X_test, y_test = load_mnist_sample("test", return_X_y=True)
    return X[:1500], y[:1500], X_test[:300], y_test[:300]


@pytest.fixture(scope="module")
def fitted_with_validation(sample):
    """A classifier of uint8 pixels, fitted with validation data."""
    X, y, _, _ = sample
    model = DigitANNClassifier((16,), epochs=4, random_state=0)
    return model.fit(X[:1200], y[:1200], X_val=X[1200:], y_val=y[1200:])


@pytest.fixture(scope="module")
def fitted_without_validation(sample):
    X, y, _, _ = sample
    return make_pipeline(PixelScaler(), DigitANNClassifier((8,), epochs=2, random_state=0)).fit(
        X, y
    )


def line_data(display):
    return {
        (i, line.get_linestyle()): line.get_ydata().tolist()
        for i, ax in enumerate(display.ax_)
        for line in ax.lines
        if line in display.lines_
    }


def marked(ax):
    return [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in ax.lines
        if len(line.get_xdata()) == 1
    ]


def legend_texts(display):
    return [text.get_text() for text in display.ax_[-1].get_legend().get_texts()]


def overlap(one, other):
    """Whether two boxes share more than their edges."""
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


def test_training_curves_show_the_history(fitted_with_validation):
    display = TrainingCurveDisplay.from_estimator(fitted_with_validation)
    history = fitted_with_validation.history_
    assert line_data(display) == {
        (0, "--"): history["loss"],
        (0, "-"): history["val_loss"],
        (1, "--"): history["accuracy"],
        (1, "-"): history["val_accuracy"],
    }
    best = fitted_with_validation.best_epoch_
    assert marked(display.ax_[0]) == [(best, history["val_loss"][best - 1])]
    assert marked(display.ax_[1]) == [(best, history["val_accuracy"][best - 1])]
    score = 100 * max(history["val_accuracy"])
    assert legend_texts(display) == [
        "training",
        "validation",
        f"best epoch: {best} ({score:.2f} %)",
    ]
    assert display.figure_ is display.ax_[0].figure
    assert [ax.get_ylabel() for ax in display.ax_] == ["Loss", "Accuracy"]


def test_training_curves_without_validation_data(fitted_without_validation):
    display = TrainingCurveDisplay.from_estimator(fitted_without_validation)
    assert set(line_data(display)) == {(0, "--"), (1, "--")}
    assert marked(display.ax_[1]) == []
    assert legend_texts(display) == ["training"]


def test_fitted_searches_are_accepted(sample):
    X, y, _, _ = sample
    search = GridSearchCV(
        make_pipeline(PixelScaler(), DigitANNClassifier((8,), epochs=2, random_state=0)),
        {"digitannclassifier__learning_rate": [0.001, 0.003]},
        cv=2,
    ).fit(X, y)
    inner = search.best_estimator_[-1]
    display = TrainingCurveDisplay.from_estimator(search)
    assert line_data(display)[0, "--"] == inner.loss_curve_
    assert HiddenUnitsDisplay.from_estimator(search).weights is inner.coefs_[0]


def test_several_fits_differ_in_colour(fitted_with_validation, fitted_without_validation):
    display = TrainingCurveDisplay.from_estimator(
        {"sixteen": fitted_with_validation, "eight": fitted_without_validation}
    )
    colours = {line.get_color() for line in display.ax_[1].lines}
    assert len(colours) == 2
    names, rest = legend_texts(display)[:2], legend_texts(display)[2:]
    score = 100 * fitted_with_validation.validation_scores_[fitted_with_validation.best_epoch_ - 1]
    assert names == [
        f"sixteen ({score:.2f} % in epoch {fitted_with_validation.best_epoch_})",
        "eight",
    ]
    assert rest == ["training", "validation", "best epoch"]


def test_twelve_fits_have_distinct_styles():
    display = TrainingCurveDisplay.from_history({f"fit {i}": HISTORY for i in range(12)})
    looks = [
        (line.get_color(), line.get_marker())
        for line in display.ax_[0].lines
        if line.get_linestyle() == "-"
    ]
    assert len(set(looks)) == 12


def test_best_epoch_of_a_keras_history():
    display = TrainingCurveDisplay.from_history(HISTORY | {"learning_rate": [1e-3] * 3})
    # Of the two epochs with the same accuracy the second has the lower loss.
    assert display.best_epochs == {"": 2}
    assert TrainingCurveDisplay.from_history(HISTORY, best_epoch=3).best_epochs == {"": 3}
    losses = TrainingCurveDisplay.from_history({"loss": [0.5, 0.4]})
    assert [ax.get_ylabel() for ax in losses.ax_] == ["Loss"]


def test_single_epoch_has_a_marker():
    display = TrainingCurveDisplay.from_history({name: [0.5] for name in HISTORY})
    assert {line.get_marker() for line in display.lines_} == {"o"}


def test_given_axes_are_used(fitted_with_validation):
    _, axes = plt.subplots(2)
    display = TrainingCurveDisplay.from_estimator(fitted_with_validation, ax=axes)
    assert list(display.ax_) == list(axes)
    _, single = plt.subplots()
    display.plot(ax=single)
    assert (single.get_ylabel(), len(single.lines)) == ("Accuracy", 3)
    display.plot(ax=plt.subplots()[1], quantities=["loss"])
    assert display.ax_[0].get_ylabel() == "Loss"


def test_invalid_history_raises(fitted_with_validation):
    with pytest.raises(ValueError, match="Got no histories"):
        TrainingCurveDisplay({})
    with pytest.raises(ValueError, match=r"curves of shapes \{\}, expected one or more of loss"):
        TrainingCurveDisplay.from_history({"learning_rate": [0.1]})
    with pytest.raises(ValueError, match=r"history of 'a' .*\(2,\), 'accuracy': \(1,\)"):
        TrainingCurveDisplay.from_history({"a": {"loss": [1, 2], "accuracy": [1]}})
    with pytest.raises(ValueError, match="without epochs"):
        TrainingCurveDisplay.from_history({"loss": []})
    display = TrainingCurveDisplay.from_history(HISTORY)
    with pytest.raises(ValueError, match=r"Got quantities='loss', expected a sequence"):
        display.plot(quantities="loss")
    with pytest.raises(ValueError, match=r"Got quantities=\['auc'\]"):
        display.plot(quantities=["auc"])
    with pytest.raises(ValueError, match="Got ax with 3 axes, expected 2"):
        display.plot(ax=plt.subplots(3)[1])


def test_invalid_estimators_raise():
    with pytest.raises(NotFittedError, match="DigitANNClassifier instance is not fitted"):
        TrainingCurveDisplay.from_estimator(DigitANNClassifier())
    with pytest.raises(TypeError, match="Got LogisticRegression, expected a DigitANNClassifier"):
        TrainingCurveDisplay.from_estimator(LogisticRegression())
    with pytest.raises(TypeError, match="Got GridSearchCV, expected"):
        HiddenUnitsDisplay.from_estimator(GridSearchCV(DigitANNClassifier(), {}))


def test_digit_grid_positions(sample):
    X, y, _, _ = sample
    display = DigitGridDisplay(X, y_true=y).plot(n_images=7, n_columns=3)
    canvas = np.ma.filled(display.image_.get_array(), np.nan)
    for i in range(7):
        row, column = divmod(i, 3)
        top, left = row * (28 + 11), column * (28 + 6)
        np.testing.assert_array_equal(
            canvas[top : top + 28, left : left + 28], X[i].reshape(28, 28)
        )
    # No other pixel of the grid is drawn.
    assert np.isfinite(canvas).sum() == 7 * 784
    assert [text.get_text() for text in display.texts_] == y[:7].tolist()


def test_captions_show_label_prediction_and_confidence():
    images = np.zeros((4, 8, 8))
    display = DigitGridDisplay.from_predictions(
        images, ["3", "5", "7", "1"], ["3", "6", "7", "1"], probabilities=np.array(
            [[0.9, 0.1], [0.25, 0.75], [0.9999, 0.0001], [1.0, 0.0]]
        )
    )  # fmt: skip
    texts = [text.get_text() for text in display.texts_]
    assert texts == ["3  90 %", "5 → 6  75 %", "7  99 %", "1  100 %"]
    bold = [text.get_weight() == "bold" for text in display.texts_]
    frames = [patch.get_linewidth() > 1 for patch in display.ax_.patches]
    assert bold == frames == [False, True, False, False]


def test_worst_first_sorts_errors_by_confidence(fitted_with_validation, sample):
    _, _, X, y = sample
    display = DigitGridDisplay.from_estimator(fitted_with_validation, X, y, worst_first=True)
    probabilities = fitted_with_validation.predict_proba(X)
    wrong = np.flatnonzero(fitted_with_validation.predict(X) != y)
    by_confidence = sorted(wrong, key=lambda i: -probabilities[i].max())
    expected = [X[i].reshape(28, 28) for i in by_confidence]
    np.testing.assert_array_equal(display.images[: len(wrong)], expected)
    right = display.confidence[len(wrong) :]
    assert (np.diff(right) >= 0).all()
    assert (display.y_true[len(wrong) :] == display.y_pred[len(wrong) :]).all()


def test_digit_grid_from_estimator_equals_from_predictions(fitted_with_validation, sample):
    _, _, X, y = sample
    given = {
        "probabilities": fitted_with_validation.predict_proba(X),
        "classes": fitted_with_validation.classes_,
    }
    one = DigitGridDisplay.from_estimator(fitted_with_validation, X, y)
    two = DigitGridDisplay.from_predictions(sparse.csr_array(X), y, **given)
    three = DigitGridDisplay.from_predictions(
        X.reshape(-1, 28, 28), y, fitted_with_validation.predict(X), **given
    )
    texts = [[text.get_text() for text in display.texts_] for display in (one, two, three)]
    assert texts[0] == texts[1] == texts[2]
    np.testing.assert_array_equal(one.images, two.images)


def test_digit_grid_without_predict_proba(sample):
    X, y, X_test, y_test = sample

    class Nearest(LogisticRegression):
        predict_proba = property()

    model = Nearest(max_iter=10_000, tol=0.1).fit(X[:200] / 255, y[:200])
    display = DigitGridDisplay.from_estimator(model, X_test / 255, y_test, worst_first=True)
    assert display.confidence is None
    assert "→" in display.texts_[0].get_text()


@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize(("n_images", "n_columns"), [(1, None), (10, 10), (25, None), (60, 12)])
@pytest.mark.parametrize("names", [None, CLOTHES])
def test_captions_do_not_overlap(fitted_with_validation, sample, style, n_images, n_columns, names):
    _, _, X, y = sample
    y = y if names is None else names[y.astype(int)]
    with plt.style.context(style):
        display = DigitGridDisplay.from_predictions(
            X,
            y,
            probabilities=fitted_with_validation.predict_proba(X),
            classes=fitted_with_validation.classes_ if names is None else names,
            worst_first=True,
            n_images=n_images,
            n_columns=n_columns,
        )
        display.figure_.draw_without_rendering()
    texts = [text for text in (*display.texts_, display.ax_.title) if text.get_text()]
    boxes = [text.get_window_extent() for text in texts]
    assert not any(overlap(one, other) for one, other in combinations(boxes, 2))
    inside = display.figure_.bbox
    assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)
    pictures = [patch.get_window_extent() for patch in display.ax_.patches]
    assert not any(overlap(box, picture) for box in boxes for picture in pictures)
    assert min(text.get_size() for text in display.texts_) >= 5


def test_digit_grid_invalid_input_raises(sample):
    X, y, _, _ = sample
    with pytest.raises(ValueError, match=r"Got X of shape \(1500, 700\), expected images"):
        DigitGridDisplay(X[:, :700])
    with pytest.raises(ValueError, match=r"Got X of shape \(784,\), expected images"):
        DigitGridDisplay(X[0])
    with pytest.raises(ValueError, match="Got no images"):
        DigitGridDisplay(X[:0])
    with pytest.raises(ValueError, match=r"Got y_true of shape \(3,\) with 1500 images"):
        DigitGridDisplay(X, y_true=y[:3])
    with pytest.raises(ValueError, match=r"Got probabilities of shape \(1500, 3\), expected .*10"):
        DigitGridDisplay.from_predictions(X, probabilities=np.ones((1500, 3)), classes=range(10))
    with pytest.raises(ValueError, match="Got worst_first=True without y_true or y_pred"):
        DigitGridDisplay.from_predictions(X, y, worst_first=True)
    with pytest.raises(ValueError, match="Got n_images=0, expected at least 1"):
        DigitGridDisplay(X).plot(n_images=0)


def test_hidden_units_are_sorted_and_scaled(fitted_with_validation):
    display = HiddenUnitsDisplay.from_estimator(fitted_with_validation, n_units=4, n_columns=2)
    weights = fitted_with_validation.coefs_[0]
    strongest = sorted(range(16), key=lambda j: -float((weights[:, j] ** 2).sum()))[:4]
    canvas = np.ma.filled(display.image_.get_array(), np.nan)
    last = weights[:, strongest[3]].reshape(28, 28)
    np.testing.assert_allclose(canvas[34:62, 34:62], last / np.abs(last).max(), rtol=1e-6)
    assert display.image_.get_clim() == (-1, 1)
    with pytest.raises(ValueError, match="expected images of shape"):
        HiddenUnitsDisplay(np.ones((700, 3)))


@pytest.mark.parametrize(
    "draw",
    [
        lambda model, X: TrainingCurveDisplay.from_estimator(model),
        lambda model, X: TrainingCurveDisplay.from_history(HISTORY),
        lambda model, X: TrainingCurveDisplay({"": HISTORY}).plot(),
        DigitGridDisplay.from_estimator,
        lambda model, X: DigitGridDisplay.from_predictions(X),
        lambda model, X: DigitGridDisplay(X).plot(),
        lambda model, X: HiddenUnitsDisplay.from_estimator(model),
        lambda model, X: HiddenUnitsDisplay(np.ones((784, 2))).plot(),
        lambda model, X: SearchResultsDisplay.from_estimator(model),
        lambda model, X: SearchResultsDisplay.from_results(RESULTS),
        lambda model, X: SearchResultsDisplay(RESULTS).plot(),
    ],
)
def test_missing_matplotlib_error_names_the_extra(
    fitted_with_validation, sample, monkeypatch, draw
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"Display\..* needs matplotlib.*skdigits\[plot\]"):
        draw(fitted_with_validation, sample[2])


class TestDeformedDigits:
    @pytest.fixture
    def X(self):
        return load_mnist_sample(subset="test", return_X_y=True)[0][:4]

    def test_first_column_has_the_original_digits(self, X):
        model = make_pipeline(PixelScaler(), DigitANNClassifier(augmentation="elastic"))
        display = DeformedDigitsDisplay.from_estimator(model, X, n_views=3)
        assert display.views.shape == (4, 4, 28, 28)
        np.testing.assert_array_equal(display.views[:, 0].reshape(4, -1), X)
        assert all((display.views[:, 0] != display.views[:, i]).any() for i in (1, 2, 3))
        assert len(display.ax_.patches) == 4

    def test_random_state_determines_the_deformations(self, X):
        draw = DeformedDigitsDisplay.from_augmentation
        first, again = draw("affine", X, random_state=1), draw("affine", X, random_state=1)
        np.testing.assert_array_equal(first.views, again.views)
        assert (first.views != draw("affine", X, random_state=2).views).any()

    def test_classifier_without_augmentation_raises(self, X):
        with pytest.raises(ValueError, match="without augmentation"):
            DeformedDigitsDisplay.from_estimator(DigitANNClassifier(), X)

    def test_invalid_views_raise(self):
        with pytest.raises(ValueError, match="Got views of shape"):
            DeformedDigitsDisplay(np.zeros((4, 28, 28)))
