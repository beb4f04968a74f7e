from itertools import combinations

import numpy as np
import pandas as pd
import pytest

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.colors import to_hex, to_rgba  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.dummy import DummyClassifier  # noqa: E402
from sklearn.experimental import enable_halving_search_cv  # noqa: E402, F401
from sklearn.model_selection import (  # noqa: E402
    GridSearchCV,
    HalvingGridSearchCV,
    ParameterGrid,
)
from sklearn.pipeline import Pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler  # noqa: E402
from sklearn.tree import DecisionTreeClassifier  # noqa: E402

from skdigits import PixelScaler  # noqa: E402
from skdigits.displays import SearchResultsDisplay  # noqa: E402
from skdigits.presets import param_grid  # noqa: E402

VERMILLION = "#d55e00"
SIZES = [(128, 64), (256, 128), (512, 256)]
RATES = [0.0001, 0.001, 0.003, 0.01]
WIDE = {"hidden_layer_sizes": [*SIZES, (1024, 1024, 512), ()], "activation": ["relu", "leaky_relu"]}
FINE = {"batch_size": [16, 32, 64, 128, 256, 512], "learning_rate": [1e-5, 3e-5, *RATES]}


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def results(params, failed=(), step="ann__"):
    """`cv_results_` with random scores."""
    rng = np.random.default_rng(0)
    params = [{step + name: value for name, value in candidate.items()} for candidate in params]
    means = 0.94 + 0.03 * rng.random(len(params))
    means[list(failed)] = np.nan
    spreads = np.where(np.isnan(means), np.nan, 0.002 + 0.004 * rng.random(len(params)))
    return {"params": params, "mean_test_score": means, "std_test_score": spreads}


def random_candidates(n=40):
    rng = np.random.default_rng(0)
    return [
        {
            "learning_rate": float(10 ** rng.uniform(-5, -1)),
            "dropout": float(rng.uniform(0, 0.5)),
            "activation": ["relu", "tanh"][i % 2],
        }
        for i in range(n)
    ]


def grid(**values):
    return list(ParameterGrid(values))


CASES = {
    "none": (grid(dropout=[0.1]), ()),
    "one": (grid(learning_rate=RATES), (2,)),
    "diverging": (grid(learning_rate=[*RATES, 1e30]), (4,)),
    "layers": (grid(hidden_layer_sizes=WIDE["hidden_layer_sizes"]), ()),
    "two": (grid(hidden_layer_sizes=SIZES, learning_rate=RATES), (7,)),
    "wide": (grid(**WIDE), ()),
    "fine": (grid(**FINE), (0, 35)),
    "small": (grid(**param_grid("small")), ()),
    "medium": (grid(**param_grid("medium")), (3, 11)),
    "random": (random_candidates(), (5,)),
    "random two": (
        [{k: c[k] for k in ("learning_rate", "dropout")} for c in random_candidates()],
        (),
    ),
}


def visible_texts(display):
    """Text, bounding box and rotation of everything written."""
    display.figure_.draw_without_rendering()
    texts = []
    for ax in {*display.figure_.axes, *display.panels_}:
        axes = (ax.xaxis, ax.yaxis) if ax.axison else ()
        texts += [*ax.texts, *(axis.label for axis in axes)]
        for axis in axes:
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            texts += [label for tick in ticks for label in (tick.label1, tick.label2)]
    texts += display.ax_.get_legend().get_texts()
    shown = [text for text in texts if text.get_text() and text.get_visible()]
    return [(text.get_text(), text.get_window_extent(), text.get_rotation()) for text in shown]


@pytest.mark.parametrize(
    ("case", "style"), [*((case, "default") for case in CASES), ("medium", "dark_background")]
)
def test_texts_do_not_overlap(case, style):
    params, failed = CASES[case]
    with plt.style.context(style):
        display = SearchResultsDisplay.from_results(results(params, failed))
        texts = visible_texts(display)
    assert len(texts) > 4
    figure = display.figure_.bbox
    for text, box, _ in texts:
        assert figure.x0 <= box.x0 < box.x1 <= figure.x1, text
        assert figure.y0 <= box.y0 < box.y1 <= figure.y1, text
    for (one, a, rotation), (two, b, other_rotation) in combinations(texts, 2):
        # Bounding boxes of rotated texts overlap where the texts don't.
        if not rotation % 90 and not other_rotation % 90:
            assert not (a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1), (one, two)


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("none", "dots"),
        ("one", "dots"),
        ("layers", "dots"),
        ("two", "heatmap"),
        ("fine", "heatmap"),
        ("small", "dots"),
        ("medium", "dots"),
        ("random", "dots"),
        # Only 40 of 40 × 40 cells would have a score.
        ("random two", "dots"),
    ],
)
def test_default_kind(case, kind):
    params, failed = CASES[case]
    assert SearchResultsDisplay(results(params, failed)).kind == kind


def test_heatmap_cells_have_mean_and_standard_deviation():
    found = results(*CASES["two"])
    display = SearchResultsDisplay.from_results(found)
    table = pd.DataFrame(found["params"]).assign(
        mean=found["mean_test_score"] * 100, spread=found["std_test_score"] * 100
    )
    table["sizes"] = table["ann__hidden_layer_sizes"].map(str)
    means = table.pivot(index="sizes", columns="ann__learning_rate", values="mean")
    spreads = table.pivot(index="sizes", columns="ann__learning_rate", values="spread")
    cells = np.ma.filled(display.ax_.images[0].get_array().astype(float), np.nan)
    np.testing.assert_allclose(cells, means.loc[[str(sizes) for sizes in SIZES]])
    found_texts = [text.get_text() for text in display.ax_.texts]
    expected = [
        f"{mean:.2f}\n± {spread:.2f}"
        for mean, spread in zip(means.to_numpy().ravel(), spreads.to_numpy().ravel(), strict=True)
        if not np.isnan(mean)
    ]
    assert sorted(found_texts) == sorted(expected)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == [*map(str, SIZES)]
    assert display.ax_.get_xlabel() == "learning rate"


@pytest.mark.parametrize("n_failed", [0, 2])
def test_heatmap_marks_best_and_failed_candidates(n_failed):
    found = results(CASES["two"][0], range(n_failed))
    display = SearchResultsDisplay.from_results(found)
    best = int(np.nanargmax(found["mean_test_score"]))
    (frame,) = display.ax_.patches
    assert frame.get_edgecolor() == to_rgba(VERMILLION)
    rate = RATES.index(found["params"][best]["ann__learning_rate"])
    sizes = SIZES.index(found["params"][best]["ann__hidden_layer_sizes"])
    assert frame.get_xy() == (rate - 0.5, sizes - 0.5)
    crosses = [line.get_xydata().tolist() for line in display.ax_.lines]
    expected = [
        [[RATES.index(each["ann__learning_rate"]), SIZES.index(each["ann__hidden_layer_sizes"])]]
        for each in found["params"][:n_failed]
    ]
    assert sorted(crosses) == sorted(expected)
    mean, spread = found["mean_test_score"][best] * 100, found["std_test_score"][best] * 100
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    failed = [f"failed: {n_failed}"] if n_failed else []
    assert legend == [f"best: {mean:.2f} ± {spread:.2f} %", *failed]


def lines_with(ax, marker):
    return [line for line in ax.lines if line.get_marker() == marker]


def test_dots_are_at_values_and_scores():
    found = results(grid(learning_rate=RATES), failed=[1])
    display = SearchResultsDisplay.from_results(found)
    ax = display.ax_
    assert display.panels_ == [ax]
    assert ax.get_xscale() == "log"
    means, spreads = found["mean_test_score"] * 100, found["std_test_score"] * 100
    (dots,) = [line for line in lines_with(ax, "o") if len(line.get_xdata()) > 1]
    fine = [0, 2, 3]
    np.testing.assert_allclose(dots.get_xdata(), np.array(RATES)[fine])
    np.testing.assert_allclose(dots.get_ydata(), means[fine])
    ends = [path.vertices[:, 1] for path in ax.collections[0].get_paths()]
    np.testing.assert_allclose(ends, np.column_stack([means - spreads, means + spreads])[fine])
    (cross,) = lines_with(ax, "x")
    assert cross.get_xdata() == [RATES[1]]
    best = [line for line in lines_with(ax, "o") if to_hex(line.get_color()) == VERMILLION]
    assert [line.get_xdata().tolist() for line in best] == [[RATES[np.nanargmax(means)]]]


def test_panels_show_all_candidates_by_each_parameter():
    found = results(*CASES["medium"])
    display = SearchResultsDisplay.from_results(found)
    assert [panel.get_xlabel() for panel in display.panels_] == [axis.name for axis in display.axes]
    assert len({panel.get_ylim() for panel in display.panels_}) == 1
    means = found["mean_test_score"] * 100
    fine, best = ~np.isnan(means), np.nanargmax(means)
    for panel, axis in zip(display.panels_, display.axes, strict=True):
        values = axis.index if axis.scale == "ordinal" else axis.numbers
        dots, best_dot = (line for line in lines_with(panel, "o"))
        np.testing.assert_allclose(dots.get_xydata(), np.column_stack([values, means])[fine])
        np.testing.assert_allclose(best_dot.get_xydata(), [[values[best], means[best]]])
        crosses = {line.get_xdata()[0] for line in lines_with(panel, "x")}
        assert crosses == set(values[~fine])
        averages = min(panel.lines, key=lambda line: line.get_zorder())
        expected = pd.Series(means[fine]).groupby(values[fine]).mean()
        np.testing.assert_allclose(averages.get_xydata(), expected.reset_index())


def test_diverged_candidate_does_not_compress_the_scale():
    found = results(grid(**param_grid("small")))
    found["mean_test_score"][2] = 0.1
    display = SearchResultsDisplay.from_results(found)
    assert "below the scale" in display.panels_[0].get_ylabel()
    assert display.panels_[0].get_ylim()[0] > 90
    for panel in display.panels_:
        (marks,) = lines_with(panel, "v")
        assert len(marks.get_xdata()) == 1


@pytest.mark.parametrize(
    ("values", "scale", "labels"),
    [
        ([0.0001, 0.001, 0.01], "log", ["0.0001", "0.001", "0.01"]),
        ([0.01, 0.0001, 0.001], "log", ["0.0001", "0.001", "0.01"]),
        ([16, 32, 64, 128, 256, 512], "log", ["16", "32", "64", "128", "256", "512"]),
        ([0.0, 0.2, 0.4], "linear", ["0", "0.2", "0.4"]),
        ([0, 1e-5, 1e-4, 1e-3], "ordinal", ["0", "1e-05", "0.0001", "0.001"]),
        ([1e-3, 1e-2, 1e30], "ordinal", ["0.001", "0.01", "1e+30"]),
        ([-1, 0, 1], "linear", ["-1", "0", "1"]),
        (np.linspace(0.01, 0.5, 30).tolist(), "linear", None),
        (np.geomspace(1e-5, 0.1, 30).tolist(), "log", None),
        ([(64, 32), (128,), (32,)], "ordinal", ["(32,)", "(128,)", "(64, 32)"]),
        ([True, False], "ordinal", ["True", "False"]),
        (["relu", None, "tanh"], "ordinal", ["relu", "None", "tanh"]),
        ([0.1, (0.1, 0.2)], "ordinal", ["0.1", "(0.1, 0.2)"]),
        ([1, np.float64(2.0), np.int64(3)], "linear", ["1", "2", "3"]),
    ],
)
def test_scale_and_order_of_values(values, scale, labels):
    (axis,) = SearchResultsDisplay(results([{"dropout": value} for value in values])).axes
    assert axis.scale == scale
    if labels:
        assert axis.labels == labels
        shown = [f"{v:.4g}" if isinstance(v, (float, int)) and v is not True and v is not False
                 else str(v) for v in values]  # fmt: skip
        assert [axis.labels[place] for place in axis.index] == shown


def test_long_labels_are_shortened_but_stay_distinct():
    tall, short = DecisionTreeClassifier(max_depth=100), DecisionTreeClassifier(max_depth=101)
    (axis,) = SearchResultsDisplay(results([{"model": tall}, {"model": short}])).axes
    assert axis.index.tolist() == [0, 1]
    assert all(len(label) <= 18 for label in axis.labels)


def test_name_of_a_common_pipeline_step_is_omitted():
    rates = grid(learning_rate=[0.1, 0.2], optimizer__momentum=[0.0, 0.9])
    shared = SearchResultsDisplay(results(rates))
    assert [axis.name for axis in shared.axes] == ["learning rate", "optimizer momentum"]
    both = grid(scaler=[PixelScaler(), MinMaxScaler()], ann__dropout=[0.1, 0.2])
    apart = SearchResultsDisplay(results(both, step=""))
    assert [axis.name for axis in apart.axes] == ["ann dropout", "scaler"]


def test_list_of_grids_has_missing_values():
    params = [*grid(dropout=[0.1, 0.2]), *grid(dropout=[0.1], l2=[0.01, 0.02])]
    display = SearchResultsDisplay.from_results(results(params))
    assert [axis.labels for axis in display.axes] == [["0.1", "0.2"], ["–", "0.01", "0.02"]]


def test_results_from_csv_give_the_same_plot(tmp_path):
    found = results(*CASES["medium"])
    columns = {
        f"param_{name}": [each[name] for each in found["params"]] for name in found["params"][0]
    }
    # As skdigits tune writes it, the best first.
    table = pd.DataFrame(found | columns).sort_values("mean_test_score", ascending=False)
    table.to_csv(tmp_path / "results.csv", index=False)
    again = SearchResultsDisplay.from_results(pd.read_csv(tmp_path / "results.csv"))
    display = SearchResultsDisplay.from_results(found)
    assert [axis.name for axis in again.axes] == [axis.name for axis in display.axes]
    for one, two in zip(again.axes, display.axes, strict=True):
        assert one.labels == two.labels
        np.testing.assert_array_equal(one.index, two.index[table.index])
    np.testing.assert_array_equal(again.mean_scores, display.mean_scores[table.index])


def tree(**settings):
    return Pipeline([("scaler", MinMaxScaler()), ("tree", DecisionTreeClassifier(**settings))])


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:400], y[:400]


def test_label_names_the_scoring_of_the_search(digits):
    grid = {"tree__max_depth": [2, 8], "tree__criterion": ["gini", "entropy"]}
    search = GridSearchCV(tree(random_state=0), grid, cv=3, scoring="f1_macro").fit(*digits)
    display = SearchResultsDisplay.from_estimator(search)
    assert display.kind == "heatmap"
    assert display.figure_.axes[1].get_ylabel() == "f1 macro in %"
    assert display.best_index == search.best_index_
    np.testing.assert_array_equal(display.mean_scores, search.cv_results_["mean_test_score"])


def test_metric_of_refit_is_the_default(digits):
    scoring = ["accuracy", "neg_log_loss"]
    search = GridSearchCV(
        tree(random_state=0), {"tree__max_depth": [2, 8]}, cv=2, scoring=scoring, refit="accuracy"
    ).fit(*digits)
    assert SearchResultsDisplay.from_estimator(search).ax_.get_ylabel() == "accuracy in %"
    losses = SearchResultsDisplay.from_estimator(search, metric="neg_log_loss")
    assert losses.ax_.get_ylabel() == "neg log loss"
    expected = search.cv_results_["mean_test_neg_log_loss"]
    np.testing.assert_array_equal(losses.mean_scores, expected)
    assert losses.best_index == expected.argmax()


def test_resources_of_halving_search_are_a_parameter(digits):
    search = HalvingGridSearchCV(
        tree(random_state=0), {"tree__max_depth": [1, 2, 4, 8]}, cv=2, min_resources=100, factor=2
    ).fit(*digits)
    display = SearchResultsDisplay.from_estimator(search)
    assert [axis.name for axis in display.axes] == ["tree max depth", "resources"]
    assert display.best_index == search.best_index_


def test_given_axes_are_used():
    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 4))
    found = results(*CASES["small"])
    assert SearchResultsDisplay.from_results(found, ax=left).ax_ is left
    display = SearchResultsDisplay(found)
    assert display.plot(ax=right) is display
    assert display.figure_ is figure
    assert display.panels_ == right.child_axes
    assert len(left.child_axes) == len(display.axes)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: SearchResultsDisplay({"params": []}),
            ValueError,
            "without 'mean_test_score', expected cv_results_",
        ),
        (
            lambda: SearchResultsDisplay(results(grid(l2=[0.1])), metric="f1"),
            ValueError,
            r"without 'mean_test_f1', expected \['mean_test_score'\]",
        ),
        (
            lambda: SearchResultsDisplay(results(grid(l2=[0.1, 0.2]), failed=[0, 1])),
            ValueError,
            "Got 2 candidates without any score",
        ),
        (
            lambda: SearchResultsDisplay(results(grid(l2=[0.1, 0.2]))).plot(kind="pie"),
            ValueError,
            "Got kind='pie', expected 'dots' or 'heatmap'",
        ),
        (
            lambda: SearchResultsDisplay(results(grid(l2=[0.1, 0.2]))).plot(kind="heatmap"),
            ValueError,
            "Got kind='heatmap' with 1 varied parameters, expected 2",
        ),
        (
            lambda: SearchResultsDisplay.from_estimator(GridSearchCV(DummyClassifier(), {})),
            TypeError,
            "Got GridSearchCV without cv_results_, expected a fitted search",
        ),
    ],
)
def test_invalid_input_raises(call, error, match):
    with pytest.raises(error, match=match):
        call()
