"""
How to read your own pictures?
==============================

Digits on paper differ from MNIST's: dark on bright, not centred, of any size, on ruled lines,
with shadows. ``read_digit_images`` converts them to MNIST's format, and ``load_pretrained``
returns a network that predicts them.
"""

# %%
# Pictures
# --------
#
# Four drawings replace photographs: pen strokes on paper with uneven light, ruled lines and noise.
# For your own pictures pass file names to ``read_digit_images``.

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 300, 400


def draw(strokes, *, ink=(40, 45, 90), pen=18, lines=False, shade=0.0, turn=0.0, seed=0):
    """A page with a digit on it, of strokes that are lists of points."""
    page = Image.new("RGB", (WIDTH, HEIGHT), (238, 233, 222))
    pencil = ImageDraw.Draw(page)
    if lines:
        for height in range(40, HEIGHT, 62):
            pencil.line([(0, height), (WIDTH, height)], fill=(170, 190, 215), width=3)
    for stroke in strokes:
        pencil.line(stroke, fill=ink, width=pen, joint="curve")
        for x, y in (stroke[0], stroke[-1]):  # round ends
            pencil.ellipse([x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2], fill=ink)
    page = page.rotate(turn, fillcolor=(238, 233, 222), resample=Image.Resampling.BILINEAR)
    light = 1 - shade * np.linspace(0, 1, WIDTH)[None, :, None]
    noise = np.random.default_rng(seed).normal(0, 5, (HEIGHT, WIDTH, 1))
    return Image.fromarray(np.clip(np.asarray(page) * light + noise, 0, 255).astype(np.uint8))


def arc(x, y, width, height, start, stop):
    """Points along an ellipse, its angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(start, stop, 40))
    return [(x + width * np.cos(a), y + height * np.sin(a)) for a in angles]


two = [[*arc(150, 130, 62, 60, 190, 395), (95, 300), (230, 296)]]
three = [arc(140, 140, 60, 58, 200, 450) + arc(140, 255, 70, 58, 270, 520)]
four = [[(165, 90), (80, 235), (235, 228)], [(190, 165), (178, 320)]]
nine = [arc(150, 150, 58, 56, 0, 360), [(208, 150), (203, 230), (180, 325)]]
pictures = [
    draw(two),
    draw(three, lines=True, ink=(180, 40, 40), pen=12),
    draw(four, shade=0.55, pen=14, turn=8),
    draw(nine, lines=True, shade=0.3, ink=(25, 25, 25), pen=8),
]

# %%
# Predictions
# -----------

from skdigits import load_pretrained, read_digit_images

model = load_pretrained()
rows = read_digit_images(pictures)
print("Rows:", rows.shape, rows.dtype)
print("Read:", model.predict(rows))

# %%
# Each picture, the image that the network receives, and the probabilities of the digits:

from skdigits.displays import ReadingDisplay

_ = ReadingDisplay.from_estimator(model, pictures)

# %%
# Pictures without a digit
# ------------------------
#
# A picture without a digit raises ``UnreadableImageError``. ``errors="warn"`` and
# ``errors="ignore"`` return a row of zeros for it, which is useful for folders with thousands of
# pictures.

from skdigits.preprocessing import UnreadableImageError

try:
    read_digit_images(draw([[(150, 200), (151, 201)]], pen=1))
except UnreadableImageError as error:
    print(error)

# %%
# On the command line, ``skdigits predict photo.jpg scans/ --explain seen.png`` does the same.
