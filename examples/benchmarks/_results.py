"""Results of long benchmarks: a JSON file that grows row by row."""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

import keras
import numpy
import sklearn
import tensorflow

import skdigits


def versions() -> dict[str, Any]:
    """What a result depends on besides its settings."""
    return {
        "date": datetime.date.today().isoformat(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "python": platform.python_version(),
        "skdigits": skdigits.__version__,
        "scikit-learn": sklearn.__version__,
        "keras": keras.__version__,
        "tensorflow": tensorflow.__version__,
        "numpy": numpy.__version__,
    }


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
