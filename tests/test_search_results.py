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
    """What a search leaves, with made-up scores."""
    rng = np.random.default_rng(0)
    params = [{step + name: value for name, value in candidate.items()} for candidate in params]
    means = 0.94 + 0.03 * rng.random(len(params))
    means[list(failed)] = np.nan
    spreads = np.where(np.isnan(means), np.nan, 0.002 + 0.004 * rng.random(len(params)))
    return {"params": params, "mean_test_score": means, "std_test_score": spreads}


def drawn_at_random(n=40):
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


EVERY = {
    "none": (grid(dropout=[0.1]), ()),
    "one": (grid(learning_rate=RATES), (2,)),
    "diverging": (grid(learning_rate=[*RATES, 1e30]), (4,)),
    "layers": (grid(hidden_layer_sizes=WIDE["hidden_layer_sizes"]), ()),
    "two": (grid(hidden_layer_sizes=SIZES, learning_rate=RATES), (7,)),
    "wide": (grid(**WIDE), ()),
    "fine": (grid(**FINE), (0, 35)),
    "small": (grid(**param_grid("small")), ()),
    "medium": (grid(**param_grid("medium")), (3, 11)),
    "random": (drawn_at_random(), (5,)),
    "random two": (
        [{k: c[k] for k in ("learning_rate", "dropout")} for c in drawn_at_random()],
        (),
    ),
}


def writing(display):
    """All that is written, as text and place on the figure."""
    display.figure_.draw_without_rendering()
    texts = []
    for ax in display.figure_.axes:
        axes = (ax.xaxis, ax.yaxis)
        texts += [*ax.texts, *(axis.label for axis in axes)]
        for axis in axes:
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            texts += [label for tick in ticks for label in (tick.label1, tick.label2)]
    texts += display.ax_.get_legend().get_texts()
    shown = [text for text in texts if text.get_text() and text.get_visible()]
    return [(text.get_text(), text.get_window_extent(), text.get_rotation()) for text in shown]


@pytest.mark.parametrize(
    ("case", "style"), [*((case, "default") for case in EVERY), ("medium", "dark_background")]
)
def test_nothing_is_written_over_something_else(case, style):
    params, failed = EVERY[case]
    with plt.style.context(style):
        display = SearchResultsDisplay.from_results(results(params, failed))
        words = writing(display)
    assert len(words) > 4
    paper = display.figure_.bbox
    for text, box, _ in words:
        assert paper.x0 <= box.x0 < box.x1 <= paper.x1, text
        assert paper.y0 <= box.y0 < box.y1 <= paper.y1, text
    for (one, a, slant), (two, b, other) in combinations(words, 2):
        # Boxes of slanted words overlap where the words don't.
        if not slant % 90 and not other % 90:
            assert not (a.x0 < b.x1 and b.x0 < a.x1 and a.y0 < b.y1 and b.y0 < a.y1), (one, two)


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("none", "dots"),
        ("one", "dots"),
        ("layers", "dots"),
        ("two", "heatmap"),
        ("fine", "heatmap"),
        ("small", "parallel"),
        ("medium", "parallel"),
        ("random", "parallel"),
        # Of 40 × 40 cells 40 would be filled.
        ("random two", "parallel"),
    ],
)
def test_the_kind_follows_from_the_parameters(case, kind):
    params, failed = EVERY[case]
    assert SearchResultsDisplay(results(params, failed)).kind == kind


def test_cells_are_means_with_their_spread():
    found = results(*EVERY["two"])
    display = SearchResultsDisplay.from_results(found)
    table = pd.DataFrame(found["params"]).assign(
        mean=found["mean_test_score"] * 100, spread=found["std_test_score"] * 100
    )
    table["sizes"] = table["ann__hidden_layer_sizes"].map(str)
    means = table.pivot(index="sizes", columns="ann__learning_rate", values="mean")
    spreads = table.pivot(index="sizes", columns="ann__learning_rate", values="spread")
    cells = np.ma.filled(display.ax_.images[0].get_array().astype(float), np.nan)
    np.testing.assert_allclose(cells, means.loc[[str(sizes) for sizes in SIZES]])
    words = [text.get_text() for text in display.ax_.texts]
    expected = [
        "failed" if np.isnan(mean) else f"{mean:.2f}\n± {spread:.2f}"
        for mean, spread in zip(means.to_numpy().ravel(), spreads.to_numpy().ravel(), strict=True)
    ]
    assert sorted(words) == sorted(expected)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == [*map(str, SIZES)]
    assert display.ax_.get_xlabel() == "learning rate"


@pytest.mark.parametrize("n_failed", [0, 2])
def test_the_best_cell_is_framed_and_failed_ones_are_hatched(n_failed):
    found = results(EVERY["two"][0], range(n_failed))
    display = SearchResultsDisplay.from_results(found)
    best = int(np.nanargmax(found["mean_test_score"]))
    frames = [
        patch for patch in display.ax_.patches if patch.get_edgecolor() == to_rgba(VERMILLION)
    ]
    (frame,) = frames
    rate = RATES.index(found["params"][best]["ann__learning_rate"])
    sizes = SIZES.index(found["params"][best]["ann__hidden_layer_sizes"])
    assert frame.get_xy() == (rate - 0.5, sizes - 0.5)
    assert len([patch for patch in display.ax_.patches if patch.get_hatch()]) == n_failed
    mean, spread = found["mean_test_score"][best] * 100, found["std_test_score"][best] * 100
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    failed = [f"failed: {n_failed}"] if n_failed else []
    assert legend == [f"best: {mean:.2f} ± {spread:.2f} %", *failed]


def test_dots_stand_at_their_numbers_with_their_spread():
    found = results(grid(learning_rate=RATES), failed=[1])
    display = SearchResultsDisplay.from_results(found)
    ax = display.ax_
    assert ax.get_xscale() == "log"
    means, spreads = found["mean_test_score"] * 100, found["std_test_score"] * 100
    (dots,) = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata()) > 1]
    fine = [0, 2, 3]
    np.testing.assert_allclose(dots.get_xdata(), np.array(RATES)[fine])
    np.testing.assert_allclose(dots.get_ydata(), means[fine])
    ends = [path.vertices[:, 1] for path in ax.collections[0].get_paths()]
    np.testing.assert_allclose(ends, np.column_stack([means - spreads, means + spreads])[fine])
    (crosses,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert crosses.get_xdata() == [RATES[1]]
    best = [line for line in ax.lines if to_hex(line.get_color()) == VERMILLION]
    assert np.nanargmax(means) in [RATES.index(x) for line in best for x in line.get_xdata()]


def test_lines_pass_their_values_on_the_way_to_their_scores():
    found = results(*EVERY["medium"])
    display = SearchResultsDisplay.from_results(found)
    means, n_axes = found["mean_test_score"], 4
    paths = {}
    for line in display.ax_.lines:
        if len(line.get_xdata()) == n_axes + 1:
            # Three places per parameter at most: which of them, from below.
            places = tuple(
                int(height * len(axis.labels))
                for height, axis in zip(line.get_ydata(), display.axes, strict=False)
            )
            paths[places] = line
    assert len(paths) == 36
    heights = []
    for i in range(36):
        line = paths[tuple(int(axis.index[i]) for axis in display.axes)]
        heights.append(line.get_ydata()[-1])
        assert (line.get_linestyle() == "--") == np.isnan(means[i])
        assert (to_hex(line.get_color()) == VERMILLION) == (i == np.nanargmax(means))
    fine = ~np.isnan(means)
    # Heights are a linear scale of the scores; those that failed lie below it.
    np.testing.assert_allclose(np.corrcoef(np.array(heights)[fine], means[fine])[0, 1], 1)
    assert max(np.array(heights)[~fine]) < min(np.array(heights)[fine])


@pytest.mark.parametrize(("worst", "best"), [(0.762, 0.896), (0.9412, 0.9436), (-3.0, -0.5)])
def test_the_scale_of_lines_says_where_it_is(worst, best):
    found = results(grid(**param_grid("small")))
    found["mean_test_score"] = np.linspace(worst, best, 8)
    display = SearchResultsDisplay.from_results(found)
    factor = 1 if worst < 0 else 100
    ends = [line.get_ydata()[-1] for line in display.ax_.lines if len(line.get_xdata()) == 4]
    ticks = display.ax_.get_yticks()
    # On the straight line from the worst score's height to the best one's.
    expected = np.interp(ticks, [min(ends), max(ends)], [factor * worst, factor * best])
    shown = [
        float(label.get_text().replace("\N{MINUS SIGN}", "-"))
        for label in display.ax_.get_yticklabels()
    ]
    assert len(shown) > 3
    np.testing.assert_allclose(shown, expected, atol=1e-9)


def test_one_diverged_candidate_does_not_level_the_others():
    params = grid(**param_grid("small"))
    found = results(params)
    found["mean_test_score"][2] = 0.1
    display = SearchResultsDisplay.from_results(found)
    assert "below the scale" in display.ax_.get_ylabel()
    ends = [line.get_ydata()[-1] for line in display.ax_.lines if len(line.get_xdata()) == 4]
    others = np.delete(np.array(sorted(ends)), 0)
    assert others[-1] - others[0] > 0.8


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
def test_values_are_ordered_and_spaced_by_their_kind(values, scale, labels):
    (axis,) = SearchResultsDisplay(results([{"dropout": value} for value in values])).axes
    assert axis.scale == scale
    if labels:
        assert axis.labels == labels
        shown = [f"{v:.4g}" if isinstance(v, (float, int)) and v is not True and v is not False
                 else str(v) for v in values]  # fmt: skip
        assert [axis.labels[place] for place in axis.index] == shown


def test_long_values_are_shortened_and_kept_apart():
    tall, short = DecisionTreeClassifier(max_depth=100), DecisionTreeClassifier(max_depth=101)
    (axis,) = SearchResultsDisplay(results([{"model": tall}, {"model": short}])).axes
    assert axis.index.tolist() == [0, 1]
    assert all(len(label) <= 18 for label in axis.labels)


def test_names_lose_a_step_that_all_share():
    rates = grid(learning_rate=[0.1, 0.2], optimizer__momentum=[0.0, 0.9])
    shared = SearchResultsDisplay(results(rates))
    assert [axis.name for axis in shared.axes] == ["learning rate", "optimizer momentum"]
    both = grid(scaler=[PixelScaler(), MinMaxScaler()], ann__dropout=[0.1, 0.2])
    apart = SearchResultsDisplay(results(both, step=""))
    assert [axis.name for axis in apart.axes] == ["ann dropout", "scaler"]


def test_lists_of_grids_leave_gaps():
    params = [*grid(dropout=[0.1, 0.2]), *grid(dropout=[0.1], l2=[0.01, 0.02])]
    display = SearchResultsDisplay.from_results(results(params))
    assert [axis.labels for axis in display.axes] == [["0.1", "0.2"], ["–", "0.01", "0.02"]]


def test_a_csv_file_gives_the_same_picture(tmp_path):
    found = results(*EVERY["medium"])
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


def test_a_fitted_search_says_what_it_was_scored_by(digits):
    grid = {"tree__max_depth": [2, 8], "tree__criterion": ["gini", "entropy"]}
    search = GridSearchCV(tree(random_state=0), grid, cv=3, scoring="f1_macro").fit(*digits)
    display = SearchResultsDisplay.from_estimator(search)
    assert display.kind == "heatmap"
    assert display.figure_.axes[1].get_ylabel() == "f1 macro in %"
    assert display.best_index == search.best_index_
    np.testing.assert_array_equal(display.mean_scores, search.cv_results_["mean_test_score"])


def test_of_several_metrics_the_one_to_refit_by_is_shown(digits):
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


def test_halving_shows_its_resources(digits):
    search = HalvingGridSearchCV(
        tree(random_state=0), {"tree__max_depth": [1, 2, 4, 8]}, cv=2, min_resources=100, factor=2
    ).fit(*digits)
    display = SearchResultsDisplay.from_estimator(search)
    assert [axis.name for axis in display.axes] == ["tree max depth", "resources"]
    assert display.best_index == search.best_index_


def test_an_axes_of_ones_own_is_used():
    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 4))
    found = results(*EVERY["small"])
    assert SearchResultsDisplay.from_results(found, ax=left).ax_ is left
    display = SearchResultsDisplay(found)
    assert display.plot(ax=right) is display
    assert display.figure_ is figure
    assert len(left.lines) == len(right.lines) > 8


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
            "Got kind='pie', expected one of 'dots', 'heatmap', 'parallel'",
        ),
        (
            lambda: SearchResultsDisplay(results(grid(l2=[0.1, 0.2]))).plot(kind="heatmap"),
            ValueError,
            r"Got kind='heatmap' with 1 varied parameters, expected \['dots', 'parallel'\]",
        ),
        (
            lambda: SearchResultsDisplay.from_estimator(GridSearchCV(DummyClassifier(), {})),
            TypeError,
            "Got GridSearchCV without cv_results_, expected a fitted search",
        ),
    ],
)
def test_what_is_no_search_is_refused(call, error, match):
    with pytest.raises(error, match=match):
        call()
