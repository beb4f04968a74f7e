"""Colours, number format and escaping of text of all plots."""

from __future__ import annotations

from .._text import printable

# The colours of Okabe and Ito's palette for colour-blind readers that have enough contrast on white
# and on black.
BLUE, VERMILLION = "#0072B2", "#D55E00"
GREY = "#8C8C8C"
COLOURS = (BLUE, VERMILLION, "#009E73", "#CC79A7", GREY)
MARKERS = ("", "s", "^", "D")


def percent(confidence: float) -> str:
    """A confidence in whole percent; values below 1 are at most 99 %."""
    return f"{100 if confidence >= 1 else min(round(100 * confidence), 99)} %"


def plain_text(text: object) -> str:
    """A file name or label for a figure, without control characters and formulas of matplotlib."""
    return printable(text).replace("$", r"\$")
