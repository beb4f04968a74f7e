"""Plots of training, predictions, searches and weights."""

from ._deformed_digits import DeformedDigitsDisplay
from ._digit_grid import DigitGridDisplay
from ._hidden_units import HiddenUnitsDisplay
from ._number import NumberDisplay
from ._reading import ReadingDisplay
from ._search_results import SearchResultsDisplay
from ._training_curve import TrainingCurveDisplay

__all__ = [
    "DeformedDigitsDisplay",
    "DigitGridDisplay",
    "HiddenUnitsDisplay",
    "NumberDisplay",
    "ReadingDisplay",
    "SearchResultsDisplay",
    "TrainingCurveDisplay",
]
