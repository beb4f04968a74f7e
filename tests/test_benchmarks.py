"""Scripts of the benchmarks, and the tables that they print into the documentation."""

import json
import os
import re
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "examples" / "benchmarks"
TABLES = Path(__file__).parents[1] / "docs" / "benchmarks"


@pytest.mark.slow
def test_networks_of_every_shape_in_the_accuracy_table_learn():
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
    assert len(found) == 5
    # The widest of them has taken 20 steps; one that learns nothing is right about 10 %.
    assert min(found) > 30


@pytest.mark.parametrize(
    ("script", "argument", "page"),
    [
        ("choose_recipes.py", "--table", "recipes.txt"),
        ("search_on_gpu.py", "table", "search_on_gpu.txt"),
    ],
)
def test_documentation_shows_stored_results(script, argument, page, capsys, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(sys, "argv", [script, argument])
    with warnings.catch_warnings():
        runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
    assert capsys.readouterr().out == (TABLES / page).read_text()


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("accuracy.py", ["--table"]),
        ("conformance.py", ["--table"]),
        ("references.py", ["table"]),
        ("speed.py", ["--table"]),
    ],
)
def test_documentation_tables_show_stored_results(script, arguments, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    monkeypatch.setattr("_results.TABLES", tmp_path)
    with warnings.catch_warnings():
        runpy.run_path(str(BENCHMARKS / script), run_name="__main__")
    (written,) = tmp_path.iterdir()
    assert written.read_text() == (TABLES / written.name).read_text()


def test_results_of_the_gpu_search_are_those_of_its_script(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    search = __import__("search_on_gpu")
    found = {result["group"]: result for result in json.loads(search.RESULTS.read_text())}
    assert list(found) == list(search.GROUPS)
    for name, group in search.GROUPS.items():
        assert json.loads(json.dumps(group)).items() <= found[name].items()
