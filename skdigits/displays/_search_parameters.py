"""The parameters that a search varied, each as one axis of a plot."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ._checks import Array

# Up to this number of values, each gets a tick with its label.
MAX_TICKS = 10
MAX_LABEL_LENGTH = 18
MISSING = "–"


@dataclass(frozen=True)
class ParameterAxis:
    """The values of one parameter.

    Parameters
    ----------
    name : str
        Label of the axis.
    labels : list of str
        The distinct values in order.
    index : ndarray of int of shape (n_candidates,)
        Position of each candidate's value in `labels`.
    numbers : ndarray of float of shape (n_candidates,) or None
        Each candidate's value; None if a value is not a number.
    """

    name: str
    labels: list[str]
    index: Array
    numbers: Array | None

    @property
    def scale(self) -> str:
        """The scale on which the values are spread most evenly: "linear", "log" or "ordinal"."""
        if self.numbers is None:
            return "ordinal"
        values = np.unique(self.numbers)
        offsets = {"linear": _offset_of_median(values)}
        if values[0] > 0:
            offsets["log"] = _offset_of_median(np.log(values))
        best = min(offsets, key=lambda scale: offsets[scale])
        return "ordinal" if offsets[best] > 0.4 and len(values) <= MAX_TICKS else best


def varied_parameters(results: Mapping[str, Any]) -> list[ParameterAxis]:
    """The parameters that have more than one value among the candidates."""
    columns = _columns(results)
    steps = {name.partition("__")[0] for name in columns}
    # The name of a pipeline's step is left out if all parameters belong to the same step.
    one_step = len(steps) == 1 and all("__" in name for name in columns)
    axes = []
    for name, values in columns.items():
        text = name.partition("__")[2] if one_step else name
        axis = _axis(text.replace("__", " ").replace("_", " "), values)
        if len(axis.labels) > 1:
            axes.append(axis)
    return axes


def _columns(results: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Values of the candidates by parameter, from ``params`` or from columns ``param_…``."""
    params = list(results["params"]) if "params" in results else []
    if params and all(isinstance(candidate, Mapping) for candidate in params):
        names = dict.fromkeys(name for candidate in params for name in candidate)
        columns = {name: [each.get(name, MISSING) for each in params] for name in names}
    else:
        columns = {
            str(key).removeprefix("param_"): list(results[key])
            for key in results
            if str(key).startswith("param_")
        }
    # Successive halving, unless its resource is a parameter.
    resources = list(results["n_resources"]) if "n_resources" in results else []
    if resources not in columns.values() and len(set(resources)) > 1:
        columns["resources"] = resources
    return columns


def _axis(name: str, values: Sequence[Any]) -> ParameterAxis:
    values = [_parsed(value) for value in values]
    if all(_is_number(value) for value in values):
        numbers = np.array([float(value) for value in values])
        distinct, index = np.unique(numbers, return_inverse=True)
        return ParameterAxis(name, [_text(number) for number in distinct], index, numbers)
    texts = [_text(value) for value in values]
    order = dict(zip(texts, values, strict=True))
    if all(isinstance(value, tuple) and all(map(_is_number, value)) for value in values):
        # Sizes of hidden layers: by depth, then by width.
        order = dict(sorted(order.items(), key=lambda item: (len(item[1]), item[1])))
    index = np.array([list(order).index(text) for text in texts])
    return ParameterAxis(name, [_shortened(text) for text in order], index, None)


def _parsed(value: Any) -> Any:
    """A value of the search, also where a CSV file has a tuple as text or no value."""
    if value is np.ma.masked or (isinstance(value, float) and np.isnan(value)):
        return MISSING
    if isinstance(value, str) and value.startswith("("):
        with suppress(ValueError, SyntaxError):
            return literal_eval(value)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if _is_number(value):
        return f"{float(value):.4g}"
    return value if isinstance(value, str) else repr(value)


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_LABEL_LENGTH else f"{text[: MAX_LABEL_LENGTH - 1]}…"


def _offset_of_median(values: Array) -> float:
    """Distance of the median from the middle of the range, as a share of the range."""
    width = float(values[-1] - values[0])
    return abs(float(np.median(values) - values[0]) / width - 0.5) if width else 0.0
