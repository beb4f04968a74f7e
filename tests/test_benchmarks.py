"""The long benchmarks run; their figures are made by hand and kept beside them."""

import os
import re
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[1] / "examples" / "benchmarks"


def test_every_network_of_the_accuracy_table_learns():
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "accuracy.py", "--smoke"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [float(accuracy) for accuracy in re.findall(r"([\d.]+) % after", done.stdout)]
    assert len(found) == 8
    # The widest of them has taken 20 steps.
    assert min(found) > 50
