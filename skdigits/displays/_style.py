"""What looks the same in all pictures."""

from __future__ import annotations

# Okabe and Ito's colours that stand out from white as well as from black, told apart by people
# with any kind of colour vision.
BLUE, VERMILLION = "#0072B2", "#D55E00"
GREY = "#8C8C8C"
COLOURS = (BLUE, VERMILLION, "#009E73", "#CC79A7", GREY)
MARKERS = ("", "s", "^", "D")


def percent(confidence: float) -> str:
    """Whole percent, of which 100 is kept for what has no doubt at all."""
    return f"{100 if confidence >= 1 else min(round(100 * confidence), 99)} %"
