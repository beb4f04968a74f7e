"""``skdigits export``."""

from __future__ import annotations

from pathlib import Path

from skdigits import load
from skdigits.onnx import export as export_to_onnx

from .arguments import check_outputs, existing_file, refusing
from .screen import result_console


def export(model_path: Path, output: Path, dtype: str | None) -> None:
    """Convert a saved classifier to ONNX."""
    existing_file("MODEL", model_path)
    check_outputs(output, inputs=[model_path])
    with refusing(OSError, ValueError):
        model = load(model_path)
    with refusing(ImportError, OSError, TypeError, ValueError):
        export_to_onnx(model, output, dtype=dtype)
    console = result_console()
    console.print(f"ONNX model saved: {output}")
    console.print(f"Input X: {model.n_features_in_} columns. Outputs: label, probabilities")
