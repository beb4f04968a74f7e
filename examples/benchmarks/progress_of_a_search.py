"""scikit-learn's ProgressBar on a search over a pipeline, and ScoringMonitor within it, as text.

    python examples/benchmarks/progress_of_a_search.py --jobs 2 2> /dev/null

In a terminal the bars move while the search runs; into a file only their end is written.
"""

import argparse

import rich
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skdigits import DigitANNClassifier, PixelScaler
from skdigits.datasets import load_mnist_sample

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    rich.reconfigure(width=105)
    X, y = load_mnist_sample("train", return_X_y=True)
    monitor = ScoringMonitor(scoring="accuracy")
    network = DigitANNClassifier((32,), epochs=5, random_state=0).set_callbacks(monitor)
    pipeline = Pipeline([("scaler", PixelScaler()), ("ann", network)])
    search = GridSearchCV(pipeline, {"ann__dropout": [0.0, 0.2]}, cv=2, n_jobs=arguments.jobs)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    epochs = log[log.task_name == "epoch"]
    print(
        "\nTraining accuracy by epoch, a row for each fit, the last that of the best on all rows:"
    )
    print(
        epochs.assign(fit=epochs.parent_task_id_path.map(str))
        .pivot(index="fit", columns="task_id", values="accuracy")
        .round(3)
        .to_string()
    )
