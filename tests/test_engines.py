"""Both engines, TensorFlow and JAX: the same training, each in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from skdigits import DigitANNClassifier
from skdigits._keras.startup import _start_up_messages_hidden

needs_jax = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="jax is not installed")

# Everything that training does, each on the same small network. Trained without random numbers,
# networks of both engines agree to rounding.
SCRIPT = """
import json, sys, tempfile, warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", category=DeprecationWarning)
import numpy as np
from sklearn.datasets import load_digits
from skdigits import DigitANNClassifier
import skdigits._training

X, y = load_digits(return_X_y=True)
X = (X / 16)[:400].astype(np.float32)
y = y[:400]
found = {}

def trained(**params):
    return DigitANNClassifier((16,), **{"epochs": 3, "random_state": 0} | params)

def keep(name, model, rows=X):
    found[name] = model.predict_proba(rows[:20]).tolist()
    assert all(np.isfinite(model.loss_curve_)), name

plain = trained().fit(X, y)
assert "keras" in sys.modules
keep("plain", plain)
keep("again", trained().fit(X, y))
# Keras computes powers of the decay rates of Adam in float32 on one backend.
keep("float64", trained(optimizer="sgd").fit(X.astype(float), y), X.astype(float))
keep("bytes", trained().fit((X * 255).astype(np.uint8), y), (X * 255).astype(np.uint8))
keep("norm", trained(batch_norm=True, optimizer="sgd").fit(X, y))
keep("averages", trained(weight_averaging=0.9, l2=0.001, label_smoothing=0.1).fit(X, y))
keep("weights", trained(activation="gelu").fit(X, y, np.linspace(0.5, 2, 400)))
keep("teacher", trained().fit(X, y, teacher=plain))
keep("warm start", trained(warm_start=True).fit(X, y).fit(X, y))
in_parts = trained().partial_fit(X[:300], y[:300], np.arange(10)).partial_fit(X[300:], y[300:])
keep("partial_fit", in_parts)
random = {}
for name, params in {"dropout": {"dropout": 0.3}, "elastic": {"augmentation": "elastic"}}.items():
    first, second = (trained(**params).fit(X, y).predict_proba(X[:20]) for _ in range(2))
    random[name] = bool((first == second).all() and (first != plain.predict_proba(X[:20])).any())

# A checkpoint gives the bits of a fit that was never interrupted.
path = tempfile.mkdtemp() + "/fit.checkpoint"
skdigits._training.FLOP_PER_CALL = 1
skdigits._checkpoint.PAUSE = 0
write = skdigits._checkpoint.Checkpoint.write

def crash(self, collect):
    write(self, collect)
    raise RuntimeError("crash")

skdigits._checkpoint.Checkpoint.write = crash
try:
    trained(dropout=0.3).fit(X, y, checkpoint=path)
except RuntimeError:
    skdigits._checkpoint.Checkpoint.write = write
with open(path, "rb") as file:
    interrupted = file.read()
resumed = trained(dropout=0.3).fit(X, y, checkpoint=path).predict_proba(X[:20])
random["checkpoint"] = bool((resumed == trained(dropout=0.3).fit(X, y).predict_proba(X[:20])).all())
with open(sys.argv[1], "wb") as file:
    file.write(interrupted)

import keras

class Doubles(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        kernel = self.model.layers[0].kernel
        found.setdefault("seen", []).append(float(keras.ops.mean(keras.ops.abs(kernel))))
        if epoch == 2:
            kernel.assign(2 * kernel)

called = trained(keras_callbacks=[Doubles()]).fit(X, y)
random["callback"] = bool(np.allclose(called.coefs_[0], 2 * plain.coefs_[0]))
model = plain.keras_model_
found["keras_model_"] = keras.ops.convert_to_numpy(model(X[:20])).tolist()
found["from_keras"] = DigitANNClassifier.from_keras(model).predict_proba(X[:20]).tolist()
print(json.dumps({
    "found": found, "as expected": random, "backend": keras.config.backend(),
    "modules": [name for name in ("tensorflow", "jax", "scikeras") if name in sys.modules],
}))
"""


def in_new_process(code, *args, **environment):
    names = ("KERAS_BACKEND", "TF_CPP_MIN_LOG_LEVEL", "PYTHONWARNINGS")
    own = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        env=own | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What `SCRIPT` prints on each backend, and the checkpoints of interrupted fits."""
    folder = tmp_path_factory.mktemp("runs")
    results = {}
    for backend in ("tensorflow", "jax"):
        done = in_new_process(SCRIPT, str(folder / backend), KERAS_BACKEND=backend)
        assert done.returncode == 0, done.stderr
        results[backend] = json.loads(done.stdout) | {
            "stderr": done.stderr,
            "checkpoint": folder / backend,
        }
    return results


NETWORKS = ["plain", "float64", "bytes", "norm", "averages", "weights", "teacher", "warm start"]
NETWORKS += ["partial_fit", "seen", "keras_model_", "from_keras"]


@pytest.mark.slow
@needs_jax
@pytest.mark.parametrize("name", NETWORKS)
def test_engines_train_the_same_network(runs, name):
    one, other = (runs[backend]["found"][name] for backend in ("tensorflow", "jax"))
    np.testing.assert_allclose(one, other, atol=1e-12 if name == "float64" else 2e-4)


@needs_jax
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_same_bits_again_and_from_a_checkpoint(runs, backend):
    run = runs[backend]
    assert run["backend"] == backend
    assert run["found"]["again"] == run["found"]["plain"]
    assert run["as expected"] == dict.fromkeys(
        ("dropout", "elastic", "checkpoint", "callback"), True
    )


@needs_jax
def test_jax_imports_no_tensorflow(runs):
    assert runs["jax"]["modules"] == ["jax", "scikeras"]


@needs_jax
def test_first_fit_prints_nothing(runs):
    assert runs["tensorflow"]["stderr"] == ""
    assert runs["jax"]["stderr"] == ""


@needs_jax
def test_checkpoint_of_another_backend_is_refused(runs, tmp_path):
    here = keras.config.backend()
    other = "jax" if here == "tensorflow" else "tensorflow"
    path = runs[other]["checkpoint"]
    X, y = load_digits(return_X_y=True)
    X = (X / 16)[:400].astype(np.float32)
    model = DigitANNClassifier((16,), epochs=3, random_state=0, dropout=0.3)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"fit on the Keras backend {other}, expected .* {here}"):
        model.fit(X, y[:400], checkpoint=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("backend", ["torch", "theano"])
def test_other_backends_are_one_clear_error(backend):
    code = """
import numpy as np
from skdigits import DigitANNClassifier
try:
    DigitANNClassifier((4,), epochs=1).fit(np.eye(10), np.arange(10))
except ImportError as error:
    print(error)
"""
    done = in_new_process(code, KERAS_BACKEND=backend)
    assert f"Got the Keras backend {backend}" in done.stdout, done.stderr
    assert "expected tensorflow or jax" in done.stdout


FORKED = """
import os
import numpy as np
{use}
child = os.fork()
if child == 0:
    from skdigits import DigitANNClassifier
    try:
        DigitANNClassifier((4,), epochs=1).fit(np.eye(10), np.arange(10))
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(
    ("backend", "title", "use"),
    [
        pytest.param(
            "tensorflow", "TensorFlow", "import tensorflow as tf; tf.ones(2) + 1",
            marks=pytest.mark.slow,
        ),
        pytest.param("jax", "JAX", "import jax.numpy; jax.numpy.ones(2) + 1", marks=needs_jax),
    ],
)  # fmt: skip
def test_fork_of_a_process_that_used_the_backend_itself_is_refused(backend, title, use):
    done = in_new_process(FORKED.format(use=use), KERAS_BACKEND=backend)
    assert f"forked from one that had already used {title}" in done.stdout, done.stderr


@pytest.mark.slow
@needs_jax
def test_jax_releases_networks_beyond_a_number():
    code = """
import numpy as np
from skdigits import DigitANNClassifier
from skdigits._keras.program_cache import PROGRAMS
PROGRAMS.max_compiled = 5
X, y = np.random.default_rng(0).random((100, 16), dtype=np.float32), np.arange(100) % 3
maps = []
first = DigitANNClassifier((4,), epochs=1, random_state=0).fit(X, y)
for i in range(21):
    DigitANNClassifier((5 + i,), epochs=1).fit(X, y)
    maps.append(sum(1 for _ in open("/proc/self/maps")))
again = DigitANNClassifier((4,), epochs=1, random_state=0).fit(X, y)
assert (first.coefs_[0] == again.coefs_[0]).all()
print(maps[20] - maps[5])
"""
    done = in_new_process(code, KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    if os.path.exists("/proc/self/maps"):
        # 15 networks keep 1,000 maps.
        assert int(done.stdout) < 300


def test_requirements_without_tensorflow_are_those_of_the_package():
    root = Path(__file__).parent.parent
    if not (root / "requirements-jax.txt").exists():
        pytest.skip("not in a copy of the repository")
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    needed = {line for line in project["dependencies"] if not line.startswith("tensorflow")}
    lines = (root / "requirements-jax.txt").read_text().splitlines()
    listed = {line for line in lines if line and not line.startswith("#")}
    assert listed == needed | set(project["optional-dependencies"]["jax"])


def test_start_up_messages_are_hidden_and_other_lines_passed_on(capfd):
    with _start_up_messages_hidden():
        os.write(2, b"I0000 00:00:1795271827.884644 8099 port.cc:153] oneDNN is on.\n")
        os.write(2, b"E0000 00:00:1795271827.884644 8099 cuda.cc:52] failed call to cuInit: 303\n")
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called\n")
        os.write(2, b"To enable the following instructions: AVX2, rebuild TensorFlow\n")
        os.write(2, b"W0000 00:00:1795271827.884644 8099 gpu.cc:52] Skipping registering GPUs\n")
        os.write(2, b"Segmentation fault")
    assert capfd.readouterr().err == (
        "W0000 00:00:1795271827.884644 8099 gpu.cc:52] Skipping registering GPUs\n"
        "Segmentation fault"
    )
    with pytest.raises(RuntimeError, match="broken"), _start_up_messages_hidden():
        raise RuntimeError("broken")
    os.write(2, b"still there\n")
    assert capfd.readouterr().err == "still there\n"
