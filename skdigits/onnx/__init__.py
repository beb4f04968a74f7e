"""Export of fitted models to ONNX, for programs without Python.

If skl2onnx is installed, importing this module registers converters of DigitANNClassifier,
PixelScaler and DigitDeskewer: ``skl2onnx.to_onnx(pipeline, X[:1])`` then converts pipelines that
contain them.
"""

from importlib.util import find_spec

from ._converters import registered_skl2onnx
from ._export import export, to_onnx

__all__ = ["export", "to_onnx"]

if find_spec("skl2onnx"):
    registered_skl2onnx()
