"""Pixels and pictures in the form that networks are trained on."""

from ._array_conversion import flatten_images
from ._number.reader import Number, read_number
from ._pictures.digit_reader import read_digit_images
from ._pictures.errors import UnreadableImageError
from ._transformers.deskewer import DigitDeskewer
from ._transformers.image_normalizer import DigitImageNormalizer
from ._transformers.pixel_scaler import PixelScaler

__all__ = [
    "DigitDeskewer",
    "DigitImageNormalizer",
    "Number",
    "PixelScaler",
    "UnreadableImageError",
    "flatten_images",
    "read_digit_images",
    "read_number",
]
