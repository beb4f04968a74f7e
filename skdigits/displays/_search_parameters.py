"""The parameters that a search varied, as axes of a picture."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ._checks import Array

# From this ratio on, numbers are taken for steps of a logarithm.
LOG_FROM = 20
# So many values can each get a place of their own.
N_ORDINAL = 10
N_LETTERS = 18
ABSENT = "–"


@dataclass(frozen=True)
class ParameterAxis:
    """One parameter's values, of which each candidate has one.

    Parameters
    ----------
    name : str
        What stands at the axis.
    labels : list of str
        The distinct values, in their order.
    index : ndarray of int of shape (n_candidates,)
        Which of them each candidate has.
    numbers : ndarray of float of shape (n_candidates,) or None
        The values themselves where all are numbers.
    """

    name: str
    labels: list[str]
    index: Array
    numbers: Array | None

    @property
    def scale(self) -> str:
        """How numbers are best spaced: "linear", "log", or "ordinal" as everything else is."""
        if self.numbers is None:
            return "ordinal"
        numbers, middle = np.unique(self.numbers), float(np.median(self.numbers))
        low, high = numbers[0], numbers[-1]
        steep = high >= LOG_FROM * (low or numbers[numbers > 0].min(initial=high))
        # Numbers that come from a logarithm's steps are mostly small ones.
        is_log = low >= 0 and steep and middle - low < 0.25 * (high - low)
        if is_log and low > 0:
            numbers = np.log(numbers)
        crowded = np.diff(numbers).min(initial=np.inf) < 0.05 * (numbers[-1] - numbers[0])
        if len(numbers) <= N_ORDINAL and (crowded or (is_log and low == 0)):
            return "ordinal"
        return "log" if is_log and low > 0 else "linear"


def varied(results: Mapping[str, Any]) -> list[ParameterAxis]:
    """The parameters of which candidates have different values."""
    columns = _columns(results)
    heads = {name.partition("__")[0] for name in columns}
    # One step's name says nothing where all parameters are of that step.
    shared = len(heads) == 1 and all("__" in name for name in columns)
    axes = []
    for name, values in columns.items():
        text = name.partition("__")[2] if shared else name
        axis = _axis(text.replace("__", " ").replace("_", " "), values)
        if len(axis.labels) > 1:
            axes.append(axis)
    return axes


def _columns(results: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Values by parameter, from dicts of parameters or from columns of a table."""
    params = list(results["params"]) if "params" in results else []
    if params and all(isinstance(candidate, Mapping) for candidate in params):
        names = dict.fromkeys(name for candidate in params for name in candidate)
        columns = {name: [each.get(name, ABSENT) for each in params] for name in names}
    else:
        columns = {
            str(key).removeprefix("param_"): list(results[key])
            for key in results
            if str(key).startswith("param_")
        }
    if "n_resources" in results and len(set(results["n_resources"])) > 1:
        resources = list(results["n_resources"])
        if resources not in columns.values():
            columns["resources"] = resources
    return columns


def _axis(name: str, values: Sequence[Any]) -> ParameterAxis:
    values = [ABSENT if _is_missing(value) else _read(value) for value in values]
    if all(_is_number(value) for value in values):
        numbers = np.array([float(value) for value in values])
        distinct, index = np.unique(numbers, return_inverse=True)
        return ParameterAxis(name, [f"{number:.4g}" for number in distinct], index, numbers)
    texts = [_text(value) for value in values]
    order = dict.fromkeys(texts)
    if all(_is_numbers(value) for value in values):
        # Widths of layers, the fewest layers first.
        first = dict(zip(texts, values, strict=True))
        order = dict.fromkeys(sorted(order, key=lambda text: (len(first[text]), first[text])))
    places = {text: place for place, text in enumerate(order)}
    index = np.array([places[text] for text in texts])
    return ParameterAxis(name, [_short(text) for text in order], index, None)


def _is_missing(value: Any) -> bool:
    return value is np.ma.masked or (isinstance(value, float) and np.isnan(value))


def _read(value: Any) -> Any:
    """A tuple of numbers that a CSV file has as text; other values as they are."""
    if isinstance(value, str) and value.startswith("("):
        with suppress(ValueError, SyntaxError):
            return literal_eval(value)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(number, Real) for number in value)


def _text(value: Any) -> str:
    if _is_number(value):
        return f"{float(value):.4g}"
    return value if isinstance(value, str) else repr(value)


def _short(text: str) -> str:
    return text if len(text) <= N_LETTERS else f"{text[: N_LETTERS - 1]}…"
