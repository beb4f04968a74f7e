"""The README's blocks, run as a reader would who copies them one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from skdigits.datasets import load_mnist_sample

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
# The commands that install something are run by CI, or open a page until they are stopped.
CONSOLE = [b for b in re.findall(r"```bash\n(.*?)```", README, re.DOTALL) if "pip install" not in b]
FULL = re.compile("fetch_mnist|data mnist")
TRAINS = re.compile(r"\.fit\(|skdigits (train|tune)")


def with_data(blocks):
    """Each block as a parameter of a test; those that train are slow."""

    def marks(block):
        if FULL.search(block):
            return [pytest.mark.mnist, pytest.mark.slow]
        return pytest.mark.slow if TRAINS.search(block) else ()

    return [pytest.param(block, marks=marks(block)) for block in blocks]


@pytest.fixture
def pictures(tmp_path):
    """A folder with the files that the README names: pictures of a 7."""
    X, y = load_mnist_sample(subset="test", return_X_y=True)
    digit = 255 - np.asarray(X)[np.flatnonzero(y.astype(str) == "7")[0]].reshape(28, 28)
    for name in ("photo.jpg", "drawing.png", "scans/first.png", "drawings/second.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(digit).resize((140, 140)).save(path)
    # Kaggle's files.
    pixels = pd.DataFrame(X[:200]).add_prefix("pixel")
    pixels.to_csv(tmp_path / "test.csv", index=False)
    pixels.insert(0, "label", y[:200])
    pixels.to_csv(tmp_path / "train.csv", index=False)
    return tmp_path


def run(command, folder, request):
    """Output of a command; the full MNIST is where the session has it."""
    environment = os.environ | {"MPLBACKEND": "agg"}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if "mnist" in request.keywords:
        environment["SCIKIT_LEARN_DATA"] = str(request.getfixturevalue("mnist_home"))
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("block", with_data(PYTHON))
def test_python_blocks_run(block, pictures, request):
    output = run([sys.executable, "-c", block], pictures, request)
    if "photo.jpg" in block:
        assert output == "['7' '7']\n"


@pytest.mark.skipif(sys.platform == "win32", reason="the blocks are a shell's")
@pytest.mark.parametrize("block", with_data(CONSOLE))
def test_console_blocks_run(block, pictures, request):
    run(["bash", "-euo", "pipefail", "-c", block], pictures, request)
    for name in re.findall(r"--(?:explain|output) (\S+)", block):
        assert (pictures / name).stat().st_size > 1000


def test_there_are_blocks_to_run():
    assert len(PYTHON) >= 3
    assert len(CONSOLE) >= 2
