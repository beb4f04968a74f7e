"""Order of the examples in the gallery."""

from pathlib import Path

EXAMPLES = [
    "plot_first_classifier.py",
    "plot_pipeline_and_search.py",
    "plot_from_mlp.py",
    "plot_references.py",
    "plot_regularization.py",
    "plot_deformation.py",
    "plot_improving.py",
    "plot_errors_and_hidden_units.py",
    "plot_own_picture.py",
    "plot_save_and_serve.py",
    "plot_small_digits.py",
    "plot_fashion.py",
    "plot_cluster.py",
]


class Order:
    """Position of a file; files that are not listed come last, sorted by name."""

    def __init__(self, src_dir: str) -> None:
        self.src_dir = src_dir

    def __call__(self, filename: str) -> tuple[int, str]:
        name = Path(filename).name
        return (EXAMPLES.index(name) if name in EXAMPLES else len(EXAMPLES), name)

    def __repr__(self) -> str:
        # Sphinx compares the configuration with that of the previous build.
        return "Order"
