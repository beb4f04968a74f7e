"""``skdigits export``."""

from __future__ import annotations

from pathlib import Path

from skdigits import load, load_pretrained
from skdigits._export.html_page import export_html
from skdigits.onnx import export as export_to_onnx

from .arguments import Refusal, check_outputs, existing_file, refusing
from .screen import result_console


def export(model_path: Path, output: Path, dtype: str | None) -> None:
    """Convert a classifier to ONNX or, by the suffix .html, to a page that reads drawings."""
    pretrained = str(model_path) == "pretrained"
    if not pretrained:
        existing_file("MODEL", model_path)
    check_outputs(output, inputs=[] if pretrained else [model_path])
    with refusing(OSError, ValueError):
        model = load_pretrained() if pretrained else load(model_path)
    console = result_console()
    if output.suffix.lower() == ".html":
        if dtype is not None:
            raise Refusal(f"Got --dtype {dtype} for an HTML page, expected it for ONNX only.")
        with refusing(OSError, TypeError, ValueError):
            export_html(model, output)
        console.print(f"HTML page saved: {output}")
        return
    with refusing(ImportError, OSError, TypeError, ValueError):
        export_to_onnx(model, output, dtype=dtype)
    console.print(f"ONNX model saved: {output}")
    console.print(f"Input X: {model.n_features_in_} columns. Outputs: label, probabilities")
