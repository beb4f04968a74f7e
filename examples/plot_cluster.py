"""
How to run a search on a cluster?
=================================

The candidates of a search are independent, so that several machines can fit them. joblib sends
them to a Dask cluster. Here the cluster consists of two processes on this machine; for a real one
only the address differs.

``pip install "skdigits[distributed]"`` installs Dask.
"""

import time

import joblib
from distributed import Client, SubprocessCluster
from scipy.stats import loguniform
from sklearn.model_selection import RandomizedSearchCV

from skdigits import DigitANNClassifier
from skdigits.datasets import load_mnist_sample

X, y = load_mnist_sample(subset="train", return_X_y=True)

# %%
# The workers are processes with one thread each.

cluster = SubprocessCluster(worker_kwargs={"nthreads": 1}, n_workers=2)
client = Client(cluster)
client.wait_for_workers(2)
print(f"{len(client.scheduler_info()['workers'])} workers")

# %%
# The search is written as usual. ``parallel_config`` selects the cluster.

search = RandomizedSearchCV(
    DigitANNClassifier((64,), epochs=8, random_state=0),
    {"learning_rate": loguniform(1e-3, 3e-2), "label_smoothing": [0.0, 0.05, 0.1]},
    n_iter=6,
    cv=3,
    random_state=0,
)
start = time.perf_counter()
with joblib.parallel_config(backend="dask", scatter=[X, y]):
    search.fit(X, y)
seconds = time.perf_counter() - start
print(f"{search.n_splits_ * 6} fits in {seconds:.0f} s, TensorFlow's start in each worker included")
client.close()
cluster.close()

# %%
import matplotlib.pyplot as plt

results = search.cv_results_
rates = [params["learning_rate"] for params in results["params"]]
smoothing = [params["label_smoothing"] for params in results["params"]]
styles = {0.0: ("o", "#0072B2"), 0.05: ("s", "#D55E00"), 0.1: ("^", "#009E73")}
figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for value, (marker, colour) in styles.items():
    at = [i for i, each in enumerate(smoothing) if each == value]
    ax.errorbar(
        [rates[i] for i in at],
        [100 * results["mean_test_score"][i] for i in at],
        yerr=[100 * results["std_test_score"][i] for i in at],
        fmt=marker,
        color=colour,
        capsize=3,
        label=f"label_smoothing {value:g}",
    )
ax.set(xscale="log", xlabel="learning_rate", ylabel="Accuracy in cross-validation in %")
ticks = [0.001, 0.003, 0.01, 0.03]
ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend()
best = {name: f"{value:.2g}" for name, value in search.best_params_.items()}
print("Best:", best, f"{search.best_score_:.2%}")
