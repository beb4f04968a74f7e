"""Turns what the page sends into what the page shows."""

from __future__ import annotations

import binascii
import os
from base64 import b64decode, b64encode
from html import escape
from io import BytesIO
from typing import Any

import numpy as np

from skdigits.preprocessing import UnreadableImageError, read_digit_images

Array = np.ndarray[Any, Any]

SIDE = 28

# How drawings begin that the page sends, which are PNG files in base64.
PREFIX = "data:image/png;base64,"

NOTHING_DRAWN = "Draw a digit."
NOTHING_UPLOADED = "Upload a picture of a digit."


class Reader:
    """Reads digits for the page.

    Parameters
    ----------
    model : Pipeline or DigitANNClassifier
        Fitted on rows of 784 pixels from 0 to 255.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._labels = [str(label) for label in model.classes_]

    def drawing(self, drawing: str | None) -> str:
        """What the page shows of a drawing.

        Parameters
        ----------
        drawing : str or None
            A data URL of a PNG file; empty or None where nothing is drawn.

        Returns
        -------
        str
            HTML.
        """
        if not drawing:
            return self.without(NOTHING_DRAWN)
        try:
            content = drawing_content(drawing)
        except ValueError as error:
            return self.without(str(error))
        return self._picture(content, "The drawing")

    def upload(self, file: dict[str, Any] | None) -> str:
        """What the page shows of an uploaded picture.

        Parameters
        ----------
        file : dict or None
            With the `path` of the file, which Gradio has found to be in its own folder, and the
            `orig_name` it had before; None where nothing is uploaded.

        Returns
        -------
        str
            HTML.
        """
        if not file:
            return self.without(NOTHING_UPLOADED)
        try:
            with open(file["path"], "rb") as opened:
                content = opened.read()
        except OSError:
            return self.without("The file is not here (any more). Upload it again.")
        return self._picture(content, os.path.basename(file.get("orig_name") or "The file"))

    def without(self, message: str) -> str:
        """The page's answer where nothing was read.

        Parameters
        ----------
        message : str
            Plain text that says why.

        Returns
        -------
        str
            HTML.
        """
        return answer(self._labels, None, None, message)

    def _picture(self, content: bytes, name: str) -> str:
        file = BytesIO(content)
        # What the message calls it.
        file.name = name if len(name) <= 60 else f"{name[:40]}…{name[-15:]}"
        try:
            row = read_digit_images(file)
        except UnreadableImageError as error:
            return self.without(str(error))
        return answer(self._labels, self._model.predict_proba(row)[0], row[0])


def drawing_content(drawing: str) -> bytes:
    """The file in a data URL.

    Parameters
    ----------
    drawing : str
        Of the form that browsers give to PNG files.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If it has another form.
    """
    try:
        if drawing.startswith(PREFIX):
            return b64decode(drawing[len(PREFIX) :], validate=True)
    except binascii.Error:
        pass
    raise ValueError(f"Got {drawing[:30]!r}…, expected a drawing as {PREFIX}…")


def answer(
    labels: list[str], probabilities: Array | None, row: Array | None, message: str = ""
) -> str:
    """The right half of the page.

    Parameters
    ----------
    labels : list of str
        Of all classes.
    probabilities : ndarray of shape (n_classes,) or None
        None where nothing was read.
    row : ndarray of uint8, shape (784,), or None
        The picture that the network saw.
    message : str, default=""
        What to say where nothing was read.

    Returns
    -------
    str
        HTML, with everything in it escaped.
    """
    if probabilities is None:
        best, said, state = None, f'<p class="message">{escape(message)}</p>', "empty"
    else:
        best, state = int(probabilities.argmax()), "read"
        share = percent(probabilities[best])
        said = f'<p class="digit">{escape(labels[best])}</p><p class="share">{share}</p>'
    values = np.zeros(len(labels)) if probabilities is None else probabilities
    bars = "".join(
        _bar(label, value, probabilities is not None, i == best)
        for i, (label, value) in enumerate(zip(labels, values, strict=True))
    )
    return (
        f'<div class="answer {state}"><div class="top"><figure>{_picture_of(row)}'
        "<figcaption>What the network sees</figcaption></figure>"
        f'<div class="said" role="status"><p class="heading">Answer</p>{said}</div></div>'
        f'<ol class="bars" aria-label="Probabilities">{bars}</ol></div>'
    )


def percent(share: float) -> str:
    """A probability in words that do not claim certainty.

    Parameters
    ----------
    share : float
        From 0 to 1.

    Returns
    -------
    str
        With one digit after the point; nothing but 0 and 1 is 0 % or 100 %.
    """
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if 0.9995 <= share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %"


def _bar(label: str, value: float, known: bool, best: bool) -> str:
    kind = ' class="best"' if best else ""
    share = escape(percent(value)) if known else ""
    return (
        f'<li{kind}><span class="name">{escape(label)}</span><span class="track">'
        f'<span class="bar" style="width:{100 * value:.2f}%"></span></span>'
        f'<span class="value">{share}</span></li>'
    )


def _picture_of(row: Array | None) -> str:
    """The 28 × 28 pixels as an image, which the page's style enlarges."""
    from PIL import Image

    if row is None:
        return '<div class="pixels"></div>'
    file = BytesIO()
    Image.fromarray(row.reshape(SIDE, SIDE)).save(file, "png")
    url = PREFIX + b64encode(file.getvalue()).decode()
    alt = "The digit in 28 by 28 pixels, white on black"
    return f'<img class="pixels" width="{SIDE}" height="{SIDE}" alt="{alt}" src="{url}">'
