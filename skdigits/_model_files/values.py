"""Estimators as JSON and arrays, in both directions."""

from __future__ import annotations

import warnings
from dataclasses import fields
from math import isfinite
from typing import Any

import numpy as np
import sklearn
from numpy.lib.stride_tricks import as_strided
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.metadata_routing import MetadataRequest
from sklearn.utils.validation import check_is_fitted

from .._augmentation import Augmentation
from .._fitted import fitted_attributes
from .._network import BatchNorm, Network
from .._pixel_range import Scale
from .checks import check
from .registry import ATTRIBUTES, expect, shown, storable

SCALARS = {np.dtype(code).type.__name__: np.dtype(code).type for code in "?bBhHiIlLqQefdU"}
PARTS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Augmentation, BatchNorm, Network)}
# Attributes that are stored in another form, and those of fits that run or continue.
_INTERNAL = {"_metadata_request", "_sklearn_output_config", "_skl_callbacks", "_optimizer_state"}
_INTERNAL |= {"_skl_callbacks_to_teardown", "_callback_fit_ctx", "_parent_callback_ctx"}
# Bytes that all arrays of a file may have between their elements.
_MAX_GAPS = 2**23


class Writer:
    """Makes JSON, in which other types are objects such as {"!tuple": […]}, `arrays` and a list
    of what is `left_out`."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.left_out: list[str] = []
        self._gaps = 0

    def value(self, value: Any, name: str, owner: str) -> Any:
        """JSON of the value of an attribute `name` of the class `owner`."""
        kind, tag, items = type(value), type(value).__name__, value
        if value is None or kind in (bool, int, str) or (kind is float and isfinite(value)):
            return value
        if kind is list:
            return [self.value(item, name, owner) for item in value]
        if kind is dict:
            items = [list(pair) for pair in value.items()]
        elif kind is float:
            items = [str(value)]
        elif SCALARS.get(tag) is kind:
            items = [value.item()]
        elif kind is np.random.RandomState and "key" in value.get_state(legacy=False)["state"]:
            # Another bit generator than MT19937 has no key.
            items = value.get_state()[1:]
        elif PARTS.get(tag) is kind:
            state = {field.name: getattr(value, field.name) for field in fields(kind)}
            return {f"!{tag}": [[k, self.value(v, k, owner)] for k, v in state.items()]}
        elif isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1:
            tag = "object"
        elif isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
            tag, items = self._array(value, name)
        elif kind not in (tuple, Scale):
            tag, items = "estimator", [self.estimator(value, f"{owner} with {name}=")]
            return {"!estimator": items}
        return {f"!{tag}": [self.value(item, name, owner) for item in items]}

    def _array(self, array: np.ndarray, name: str) -> tuple[str, list[Any]]:
        key, tag = f"{len(self.arrays)}.{name}", "array"
        if array.dtype.kind == "U":
            native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
            array, tag = native.view(np.uint32).reshape(*array.shape, -1), "text"
        self.arrays[key] = array
        strides = [stride // array.itemsize for stride in array.strides]
        # Products of matrices of another memory layout may differ in the last bits.
        self._gaps += 0 if array.flags.c_contiguous else _gaps(array, strides)
        plain = array.flags.c_contiguous or not array.size or self._gaps > _MAX_GAPS
        return tag, [key] if plain else [key, strides]

    def estimator(self, estimator: Any, where: str = "") -> dict[str, Any]:
        """Class, parameters and fitted attributes of a fitted estimator."""
        kind, owner = type(estimator), type(estimator).__name__
        if owner not in ATTRIBUTES or storable(owner) is not kind:
            raise TypeError(
                f"Got {where}{shown(estimator)}, which can't be stored, expected one of "
                f"{', '.join(ATTRIBUTES)} with parameters of numbers, strings, lists, tuples, "
                "dicts and arrays: change others with set_params; of a search, save its "
                "best_estimator_. joblib.dump and skops.io.dump store more, in files for readers "
                "who trust you."
            )
        if owner != "Pipeline":
            check_is_fitted(estimator, "_network" if owner == "DigitANNClassifier" else None)
        state, params = vars(estimator), estimator.get_params(deep=False)
        left_out = [type(callback).__name__ for callback in state.get("_skl_callbacks", ())]
        left_out += ["memory"] if params.pop("memory", None) is not None else []
        fitted = {name: state[name] for name in ATTRIBUTES[owner] if name in state}
        known = {*params, *fitted, *_INTERNAL, "memory"}
        if "history_" in fitted:
            known |= _trained(fitted).keys()
            fitted["history_"] = {k: np.array(v, float) for k, v in fitted["history_"].items()}
        left_out += [name for name in state if name not in known]
        self.left_out += [f"{name} of {owner}" for name in left_out]
        methods = vars(state.get("_metadata_request", MetadataRequest(owner)))
        return {
            "class": owner,
            "params": {name: self.value(v, name, owner) for name, v in params.items()},
            "fitted": {name: self.value(v, name, owner) for name, v in fitted.items()},
            "requests": {k: v.requests for k, v in methods.items() if getattr(v, "requests", 0)},
            "output": state.get("_sklearn_output_config", {}).get("transform"),
        }


class Reader:
    """The inverse of `Writer` for JSON that may be anything. Takes the arrays that it uses out of
    `arrays`; `version` is the version of scikit-learn that wrote them."""

    def __init__(self, arrays: dict[str, np.ndarray], version: str) -> None:
        self._arrays, self._version, self._gaps = arrays, version, 0

    def value(self, node: Any) -> Any:
        """Build the value that JSON describes."""
        if isinstance(node, list):
            return [self.value(item) for item in node]
        if not isinstance(node, dict):
            return node
        [(tag, content)] = node.items()
        if tag == "!estimator":
            return self.estimator(*content)
        items = [self.value(item) for item in content]
        if tag in ("!array", "!text"):
            items[0] = self._arrays.pop(items[0])
            self._gaps += _gaps(*items) if len(items) > 1 else 0
            expect(self._gaps <= _MAX_GAPS, "gaps", self._gaps, f"at most {_MAX_GAPS} bytes")
        expect(tag in _BUILD, "the type", tag, f"one of {', '.join(_BUILD)}")
        return _BUILD[tag](*items)

    def estimator(self, node: dict[str, Any]) -> Any:
        """A checked estimator."""
        name, kind = node["class"], storable(node["class"])
        estimator = kind(**{param: self.value(v) for param, v in node["params"].items()})
        fitted = {attribute: self.value(v) for attribute, v in node["fitted"].items()}
        unknown = [attribute for attribute in fitted if attribute not in ATTRIBUTES[name]]
        expect(not unknown, f"{name} with", unknown, "no such attributes")
        vars(estimator).update(fitted)
        check(estimator)
        if "history_" in fitted:
            fitted["history_"] = {k: v.tolist() for k, v in fitted["history_"].items()}
            vars(estimator).update(_trained(fitted))
        request = MetadataRequest(owner=estimator)
        for method, requests in node["requests"].items():
            for param, alias in requests.items():
                known = method in vars(request) and param.isidentifier()
                expect(known, "a metadata request", [method, param], "one of a method")
                getattr(request, method).add_request(param=param, alias=alias)
                estimator._metadata_request = request
        if output := node["output"]:
            expect(output in ("default", "pandas", "polars"), "the output", output, "a known one")
            estimator.set_output(transform=output)
        if kind.__module__.startswith("sklearn.") and self._version != sklearn.__version__:
            versions = {"current_sklearn_version": sklearn.__version__}
            versions["original_sklearn_version"] = self._version
            warning = InconsistentVersionWarning(estimator_name=name, **versions)
            warnings.warn(warning, stacklevel=2)
        return estimator


def _trained(fitted: dict[str, Any]) -> dict[str, Any]:
    """All attributes of a trained classifier, some of which follow from others."""
    names = ("_network", "classes_", "history_", "best_epoch_")
    values: list[Any] = [*(fitted[name] for name in names), fitted.get("_training_scale")]
    return fitted_attributes(*values)


def _network(*pairs: list[Any]) -> Network:
    names = {name for name, _ in pairs}
    expect(names <= {field.name for field in fields(Network)}, "Network with", names, "its fields")
    # As unpickling does: shapes are checked before the layers are folded.
    network = Network.__new__(Network)
    network.__setstate__(dict(pairs))
    return network


def _gaps(array: np.ndarray, strides: list[int]) -> int:
    """Bytes between the elements of an array in a memory layout."""
    extent = 1 + sum(abs(s) * (n - 1) for s, n in zip(strides, array.shape, strict=True))
    return max(0, extent - array.size) * array.itemsize


def _array(array: np.ndarray, strides: list[int] | None = None) -> np.ndarray:
    """The array in the memory layout that it had."""
    if strides is None:
        return array
    steps = [abs(stride) * array.itemsize for stride in strides]
    memory = np.empty(array.nbytes + _gaps(array, strides), np.uint8).view(array.dtype)
    layout = as_strided(memory, array.shape, steps)
    layout = layout[tuple(slice(None, None, -1 if s < 0 else 1) for s in strides)]
    layout[...] = array
    return layout


def _text(characters: np.ndarray) -> np.ndarray:
    fits = characters.dtype == np.uint32 and characters.ndim == 2 and characters.max() <= 0x10FFFF
    expect(fits, "text", characters, "rows of Unicode characters")
    return characters.view(f"U{characters.shape[1]}")[:, 0]


def _objects(*items: Any) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def _random_state(key: Any, position: Any, has_gauss: Any, gauss: Any) -> np.random.RandomState:
    # NumPy takes any position and would read there.
    fits = type(position) is int and 0 <= position <= 624 and has_gauss in (0, 1)
    fits = fits and key.shape == (624,) and key.dtype == np.uint32 and type(gauss) is float
    expect(fits, "a RandomState at position", position, "0 to 624")
    state = np.random.RandomState(0)
    state.set_state(("MT19937", key, position, has_gauss, gauss))
    return state


_BUILD: dict[str, Any] = {
    "!array": _array,
    "!dict": lambda *pairs: dict(pairs),
    "!float": float,
    "!object": _objects,
    "!RandomState": _random_state,
    "!text": _text,
    "!tuple": lambda *items: items,
    "!Augmentation": lambda *pairs: Augmentation(**dict(pairs)),
    "!BatchNorm": lambda *pairs: BatchNorm(**dict(pairs)),
    "!Network": _network,
    "!Scale": Scale,
    **{f"!{name}": kind for name, kind in SCALARS.items()},
}
