"""Reads the digits of a picture for the page."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from skdigits.preprocessing import UnreadableImageError, read_digit_images, read_number


def read(model: Any, content: bytes) -> dict[str, Any]:
    """The digits in a picture file: one, or those of a number, or the error, as JSON."""
    file = BytesIO(content)
    file.name = "file"
    try:
        rows, probabilities = _digits_in(file, model)
    except UnreadableImageError as error:
        return {"error": f"This {str(error).removeprefix('file: ')}"}
    labels = model.classes_[probabilities.argmax(axis=1)]
    each = zip(labels, probabilities.tolist(), rows.tolist(), strict=True)
    return {"digits": [{"label": str(n), "probabilities": p, "pixels": row} for n, p, row in each]}


def _digits_in(file: BytesIO, model: Any) -> tuple[Any, Any]:
    """The pixels and the probabilities of each digit."""
    try:
        rows = read_digit_images(file)
        return rows, model.predict_proba(rows)
    except UnreadableImageError as error:
        # The message recommends read_number for several digits, but not for noise or text.
        if "read_number" not in str(error):
            raise
    number = read_number(file, model)
    return number.rows, number.probabilities
