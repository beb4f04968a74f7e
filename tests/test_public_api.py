"""Every public name, so that none comes or goes unnoticed.

A failure here asks whether the change is meant. If it is: change the list, the API page and the
changelog with it.
"""

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import skdigits

NAMES = {
    "skdigits": """Augmentation DigitANNClassifier DigitDeskewer DigitImageNormalizer PixelScaler
        __version__ datasets displays fine_tune load load_pretrained make_reference_classifier
        persistence preprocessing presets read_digit_images save""",
    "skdigits.cluster": "DurableClient",
    "skdigits.datasets": "fetch_mnist load_digit_folder load_mnist_sample",
    "skdigits.displays": """DeformedDigitsDisplay DigitGridDisplay HiddenUnitsDisplay NumberDisplay
        ReadingDisplay SearchResultsDisplay TrainingCurveDisplay""",
    "skdigits.onnx": "export to_onnx",
    "skdigits.persistence": "InvalidFileError load save",
    "skdigits.preprocessing": """DigitDeskewer DigitImageNormalizer Number PixelScaler
        UnreadableImageError flatten_images read_digit_images read_number""",
    "skdigits.presets": "PRESETS Preset RECIPES REFERENCES make_reference_classifier param_grid",
}

METHODS = {
    "DigitANNClassifier": """coefs_ decision_function fit from_keras get_metadata_routing get_params
        intercepts_ keras_model_ partial_fit predict predict_log_proba predict_proba score
        set_callbacks set_fit_request set_params set_partial_fit_request set_score_request
        summary""",
    "PixelScaler": """fit fit_transform get_feature_names_out get_metadata_routing get_params
        inverse_transform set_callbacks set_output set_params transform""",
    "DigitImageNormalizer": """fit fit_transform get_feature_names_out get_metadata_routing
        get_params set_callbacks set_output set_params transform""",
}

PARAMETERS = {
    "DigitANNClassifier": """hidden_layer_sizes activation dropout l2 batch_norm optimizer
        optimizer_params learning_rate learning_rate_schedule batch_size epochs label_smoothing
        augmentation weight_averaging input_blur early_stopping validation_fraction n_iter_no_change
        class_weight warm_start keras_callbacks random_state verbose""",
    "DigitANNClassifier.fit": "self X y sample_weight X_val y_val teacher checkpoint",
    "DigitANNClassifier.partial_fit": "self X y classes sample_weight",
    "DigitANNClassifier.from_keras": "model classes",
    "DigitANNClassifier.predict": "self X",
    "DigitANNClassifier.predict_proba": "self X",
    "DigitANNClassifier.predict_log_proba": "self X",
    "DigitANNClassifier.decision_function": "self X",
    "DigitANNClassifier.score": "self X y sample_weight",
    "DigitANNClassifier.summary": "self",
    "Augmentation": "rotation scale shear shift elastic stroke",
    "PixelScaler": "",
    "DigitImageNormalizer": "errors",
    "read_digit_images": "images errors",
    "make_reference_classifier": "name overrides",
    "load_pretrained": "",
    "save": "estimator path",
    "load": "path max_bytes",
    "datasets.fetch_mnist": "subset return_X_y as_frame data_home name",
    "datasets.load_digit_folder": "path errors return_X_y",
    "datasets.load_mnist_sample": "subset return_X_y",
    "preprocessing.DigitDeskewer": "",
    "preprocessing.read_number": "image model",
    "presets.param_grid": "name step",
}


def public(name):
    return not name.startswith("_")


@pytest.mark.parametrize("module", NAMES)
def test_names(module):
    assert sorted(import_module(module).__all__) == sorted(NAMES[module].split())
    assert all(hasattr(import_module(module), name) for name in NAMES[module].split())


def test_modules():
    modules = {module.name for module in pkgutil.iter_modules(skdigits.__path__)}
    assert {f"skdigits.{name}" for name in filter(public, modules)} | {"skdigits"} == set(NAMES)


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    members = [member for member in dir(getattr(skdigits, name)) if public(member)]
    assert members == sorted(METHODS[name].split())


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name):
    value = skdigits
    for part in name.split("."):
        value = getattr(value, part)
    assert list(inspect.signature(value).parameters) == PARAMETERS[name].split()


def test_the_api_page_lists_every_public_name():
    page = Path(__file__).parent.parent / "docs" / "api.rst"
    if not page.exists():
        pytest.skip("there is no documentation beside these tests")
    text = page.read_text(encoding="utf-8")
    listed = set(re.findall(r"^   (?:\w+\.)*(\w+)$", text, re.MULTILINE))
    listed |= set(re.findall(r"autodata:: (?:\w+\.)*(\w+)", text))
    names = {name for names in NAMES.values() for name in names.split()}
    modules = {module.partition(".")[2] for module in NAMES}
    assert listed == names - modules - {"__version__", "flatten_images"}


def test_version_is_defined_once():
    root = Path(__file__).parent.parent
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|rc\d+)?", skdigits.__version__)
    if not (root / "pyproject.toml").exists():
        pytest.skip("there is no repository around these tests")
    places = [
        path.name
        for path in [*root.glob("*.toml"), *root.glob("*.cff"), *root.glob("docs/*.py")]
        if f'"{skdigits.__version__}"' in path.read_text(encoding="utf-8")
    ]
    assert places == []
