"""Results of benchmarks: JSON files that grow row by row, and tables for the documentation."""

from __future__ import annotations

import csv
import datetime
import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("skdigits", "scikit-learn", "keras", "tensorflow", "numpy")
TABLES = Path(__file__).parents[2] / "docs" / "benchmarks"


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Date, number of cores, and the versions of the installed ones of these packages."""
    installed = {}
    for package in packages:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "date": datetime.date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "python": platform.python_version(),
        **installed,
    }


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], name: str = "") -> None:
    """Print a table with aligned columns.

    Parameters
    ----------
    header : sequence of str
        Titles of the columns.
    rows : sequence of sequences of str
        Cells; the first column is aligned to the left, all others to the right.
    name : str, default=""
        Also write the table to ``docs/benchmarks/<name>.csv``, which the documentation shows.
    """
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    for line in lines:
        first, *others = line
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join(cells).rstrip(), flush=True)
    if name:
        with (TABLES / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)


class Results:
    """Rows of results in a JSON file beside the benchmarks."""

    def __init__(self, name: str) -> None:
        self.path = Path(__file__).with_name(name)
        self.rows: list[dict[str, Any]] = []
        self._read()

    def _read(self) -> None:
        if self.path.exists():
            self.rows = json.loads(self.path.read_text())

    def has(self, settings: dict[str, Any]) -> bool:
        """Whether a row has all these settings."""
        return any(all(row.get(k) == v for k, v in settings.items()) for row in self.rows)

    def replace(self, settings: dict[str, Any], figures: dict[str, Any]) -> None:
        """Put a row in the place of those with the same settings."""
        self._read()
        self.rows = [r for r in self.rows if any(r.get(k) != v for k, v in settings.items())]
        self._write(settings | figures)

    def add(self, settings: dict[str, Any], figures: dict[str, Any]) -> None:
        """Append a row, write the file and print the row."""
        # Another process may have added some in the meantime.
        self._read()
        self._write(settings | figures)
        print(settings | figures, flush=True)

    def _write(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.path.write_text(json.dumps(self.rows, indent=1) + "\n")
