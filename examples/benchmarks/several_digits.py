"""
Numbers of several digits
=========================

How many handwritten numbers `read_number` reads completely right. Lines of 3 to 8 digits are
composed from MNIST on white, cream, ruled and squared paper, separate, in the boxes of a form, or
touching each other; with uneven light, pens of several colours, jitter, slant, blur and noise::

    python several_digits.py [--lines 1000] [--seed 0] [--subset test|train] [--sheet FILE.png]

``--sheet`` draws the lines that were read wrong. The parameters of the reader were chosen on lines
of training digits with other seeds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from skdigits import load_pretrained
from skdigits.datasets import fetch_mnist
from skdigits.preprocessing import UnreadableImageError, read_number

KINDS = ("separate", "boxed", "separate", "boxed", "touching")
PAPERS = ("white", "cream", "ruled", "squared")
PENS = ((0.1, 0.1, 0.12), (0.12, 0.16, 0.5), (0.05, 0.1, 0.3), (0.7, 0.1, 0.12), (0.1, 0.4, 0.2))
PENS += ((0.42, 0.42, 0.43),)  # a pencil
FORMS = ((0.15, 0.15, 0.15), (0.5, 0.5, 0.5), (0.9, 0.5, 0.2), (0.35, 0.5, 0.8))


class Line(NamedTuple):
    """A picture of a number, with its digits' indices and, for each pixel, which of them it is."""

    picture: np.ndarray
    owners: np.ndarray
    indices: np.ndarray
    kind: str
    paper: str


def digit_ink(row: np.ndarray, side: int, slant: float) -> np.ndarray:
    """A digit of 28 × 28 as ink from 0 to 1, enlarged and slanted, without any margin."""
    image = Image.fromarray(row.reshape(28, 28))
    shear = (1, slant, -14 * slant, 0, 1, 0)
    image = image.transform((28, 28), Image.Transform.AFFINE, shear, Image.Resampling.BICUBIC)
    image = image.resize((side, side), Image.Resampling.BICUBIC)
    ink = np.clip((np.asarray(image) / 255.0 - 0.5) * 2.5 + 0.5, 0, 1)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def clearance(left: np.ndarray, right: np.ndarray, down: int) -> int:
    """By how many pixels `right`, `down` lower than `left`, can be moved left until they touch."""
    height = max(left.shape[0], right.shape[0]) + 2 * abs(down)
    ends, starts = np.full(height, -(10**6)), np.full(height, 10**6)
    for ink, top, edges in ((left, abs(down), ends), (right, abs(down) + down, starts)):
        dark = ink > 0.5
        for row in np.flatnonzero(dark.any(axis=1)):
            where = np.flatnonzero(dark[row])
            edges[top + row] = where[-1] - ink.shape[1] if edges is ends else where[0]
    # Strokes that pass each other a pixel or two away would touch as well.
    spread = [np.roll(starts, shift) for shift in (-1, 0, 1)]
    return int((np.min(spread, axis=0) - ends).min())


def placed(
    inks: list[np.ndarray], kind: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The digits side by side: their ink, without any margin, and whose it is, from 1."""
    height = max(ink.shape[0] for ink in inks)
    tops = np.rint(rng.normal(0, 0.03, len(inks)) * height).astype(int)
    tops += np.array([(height - ink.shape[0]) // 2 for ink in inks])
    tops -= tops.min()
    apart = rng.uniform(0.08, 0.4)
    must_touch = rng.integers(1, len(inks))
    lefts = [0]
    for i in range(1, len(inks)):
        if kind == "touching" and (i == must_touch or rng.random() < 0.5):
            free = clearance(inks[i - 1], inks[i], int(tops[i] - tops[i - 1]))
            overlap = free + round(rng.uniform(0, 0.05) * height)
            gap = -overlap if free < inks[i].shape[1] else 0
        else:
            gap = round(apart * rng.uniform(0.6, 1.4) * height)
        lefts.append(lefts[-1] + inks[i - 1].shape[1] + gap)
    lefts = np.array(lefts) - min(lefts)
    bottom = max(t + ink.shape[0] for t, ink in zip(tops, inks, strict=True))
    right = max(x + ink.shape[1] for x, ink in zip(lefts, inks, strict=True))
    line, owners = np.zeros((bottom, right)), np.zeros((bottom, right), np.uint8)
    for number, (top, left, ink) in enumerate(zip(tops, lefts, inks, strict=True), 1):
        window = slice(top, top + ink.shape[0]), slice(left, left + ink.shape[1])
        owners[window][ink > np.maximum(line[window], 0.3)] = number
        np.maximum(line[window], ink, out=line[window])
    return line, owners


def boxed(
    inks: list[np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The digits in the boxes of a form: their ink, whose it is, and the form's."""
    height = max(ink.shape[0] for ink in inks)
    wide = max(max(ink.shape[1] for ink in inks) + 4, round(height * rng.uniform(0.9, 1.3)))
    high = round(height * rng.uniform(1.15, 1.6))
    between = rng.choice([0, round(0.15 * height), round(0.3 * height)])
    thick = max(1, round(height * rng.uniform(0.015, 0.05)))
    shape = (high + thick, len(inks) * (wide + between) - between + thick)
    line, form, owners = np.zeros(shape), np.zeros(shape), np.zeros(shape, np.uint8)
    for i, ink in enumerate(inks):
        left = i * (wide + between)
        box = form[:, left : left + wide + thick]
        box[:thick] = box[-thick:] = box[:, :thick] = box[:, -thick:] = 1
        room = np.array([high, wide]) - ink.shape
        top, start = np.rint(room * np.clip(rng.normal(0.5, 0.15, 2), 0, 1)).astype(int)
        left += start
        line[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
        owners[top : top + ink.shape[0], left : left + ink.shape[1]][ink > 0.3] = i + 1
    return line, owners, form


def ruling(shape: tuple[int, int], paper: str, height: int, rng: np.random.Generator) -> np.ndarray:
    """The lines of ruled or squared paper, from 0 to 1."""
    lines = np.zeros(shape)
    if paper not in ("ruled", "squared"):
        return lines
    period = round(height * (rng.uniform(1.3, 2.2) if paper == "ruled" else rng.uniform(0.5, 0.9)))
    thick = max(1, round(0.02 * height))
    offset = rng.integers(period, size=2)
    for shift in range(thick):
        lines[offset[0] + shift :: period] = 1
        if paper == "squared":
            lines[:, offset[1] + shift :: period] = 1
    return lines


def light(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Uneven light: a slope with a lamp somewhere, at most 1."""
    y, x = np.mgrid[: shape[0], : shape[1]] / np.array([*shape])[:, None, None]
    slope = rng.uniform(-0.2, 0.2, 2)
    spot = rng.uniform(0, 1, 2)
    field = slope[0] * y + slope[1] * x
    field -= rng.uniform(0, 0.3) * ((y - spot[0]) ** 2 + (x - spot[1]) ** 2)
    return 1 + field - field.max()


def photographed(ink: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Layers of ink turned a little and blurred, as a camera would see them."""
    image = Image.fromarray(ink.astype(np.float32))
    return np.asarray(image.rotate(rng.uniform(-1, 1), Image.Resampling.BILINEAR))


def compose(
    rows: np.ndarray, kind: str, paper: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A picture of these digits in a line, and whose ink is where.

    Parameters
    ----------
    rows : ndarray of uint8, shape (n_digits, 784)
    kind : {"separate", "boxed", "touching"}
    paper : {"white", "cream", "ruled", "squared"}
    rng : numpy.random.Generator

    Returns
    -------
    picture : ndarray of uint8, shape (height, width, 3)
    owners : ndarray of uint8, shape (height, width)
        Number of each pixel's digit from 1, 0 where there is none.
    """
    side, slant = rng.uniform(36, 100), rng.normal(0, 0.08)
    inks = [
        digit_ink(row, round(side * rng.uniform(0.92, 1.08)), slant + rng.normal(0, 0.03))
        for row in rows
    ]
    height = max(ink.shape[0] for ink in inks)
    if kind == "boxed":
        line, owners, form = boxed(inks, rng)
    else:
        line, owners = placed(inks, kind, rng)
        form = np.zeros_like(line)
    margins = np.rint(height * rng.uniform(0.2, 0.9, (2, 2))).astype(int)
    line, owners, form = (np.pad(layer, margins) for layer in (line, owners, form))
    lines = ruling(line.shape, paper, height, rng)
    white = np.array([0.95, 0.92, 0.82] if paper == "cream" else [0.96, 0.96, 0.95])
    seed = rng.integers(2**32)
    picture = np.broadcast_to(white, (*line.shape, 3))
    colours = (rng.uniform(0.55, 0.8) * np.array([0.85, 0.95, 1.1]).clip(0, 1),)
    colours += (np.array(FORMS[rng.integers(len(FORMS))]), np.array(PENS[rng.integers(len(PENS))]))
    for layer, colour in zip((lines, form, line), colours, strict=True):
        # The same generator anew: all layers are turned alike.
        amount = photographed(layer, np.random.default_rng(seed))[:, :, None]
        picture = picture + (colour - picture) * amount
    angle = np.random.default_rng(seed).uniform(-1, 1)
    owners = np.asarray(Image.fromarray(owners).rotate(angle))
    edge = int(np.ceil(0.018 * max(line.shape) / 2)) if paper in ("ruled", "squared") else 0
    if edge:
        picture, owners = (layer[edge:-edge, edge:-edge] for layer in (picture, owners))
    picture = gaussian_filter(picture, (*[rng.uniform(0, 0.02) * height] * 2, 0))
    picture = picture * light(picture.shape[:2], rng)[:, :, None]
    picture = picture + rng.normal(0, rng.uniform(0, 0.035), picture.shape)
    return np.rint(255 * picture.clip(0, 1)).astype(np.uint8), owners


def composed(X: np.ndarray, n_lines: int, seed: int) -> list[Line]:
    """Lines of digits of X in every kind and on every paper; the same seed, the same lines."""
    lines = []
    for number in range(n_lines):
        rng = np.random.default_rng([seed, number])
        kind = KINDS[number % len(KINDS)]
        paper = PAPERS[number // len(KINDS) % len(PAPERS)]
        indices = rng.integers(len(X), size=rng.integers(3, 9))
        lines.append(Line(*compose(X[indices], kind, paper, rng), indices, kind, paper))
    return lines


def read(lines: list[Line]) -> tuple[list[str], float]:
    """What is read from each line, "" for nothing, and how many lines a second."""
    said = []
    read_number(lines[0].picture)  # loads the network
    start = time.perf_counter()
    for line in lines:
        try:
            said.append(read_number(line.picture).text)
        except UnreadableImageError:
            said.append("")
    return said, len(lines) / (time.perf_counter() - start)


def table(lines: list[Line], right: np.ndarray, apart: np.ndarray) -> None:
    """Share of lines read completely right, by kind and by paper."""
    print(f"{'lines':22}{'number':>7}{'right':>9}{'digits apart':>14}")
    groups = {"all": np.ones(len(lines), bool)}
    kinds = np.array([line.kind for line in lines])
    papers = np.array([line.paper for line in lines])
    groups |= {kind: kinds == kind for kind in dict.fromkeys(KINDS)}
    groups |= {
        f"not touching, {paper}": (papers == paper) & (kinds != "touching") for paper in PAPERS
    }
    for name, group in groups.items():
        print(f"{name:22}{group.sum():7}{right[group].mean():9.1%}{apart[group].mean():14.1%}")


def sheet(lines: list[Line], truths: list[str], said: list[str], wrong: np.ndarray) -> Image.Image:
    """The lines that were read wrong."""
    tiles = [Image.fromarray(lines[index].picture) for index in wrong]
    for tile in tiles:
        tile.thumbnail((460, 110))
    canvas = Image.new("RGB", (3 * 470, (110 + 16) * max(1, -(-len(tiles) // 3))), "#7090b0")
    draw = ImageDraw.Draw(canvas)
    for place, (index, tile) in enumerate(zip(wrong, tiles, strict=True)):
        left, top = place % 3 * 470, place // 3 * 126
        canvas.paste(tile, (left, top))
        said_here = said[index] or "nothing"
        draw.text((left, top + 111), f"{index}: {said_here} for {truths[index]}", fill="yellow")
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description="Numbers read completely right.")
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subset", choices=("test", "train"), default="test")
    parser.add_argument("--sheet", type=Path, help="a PNG file for the failures")
    options = parser.parse_args()
    X, y = fetch_mnist(subset=options.subset, return_X_y=True)
    y = np.asarray(y).astype(str)
    lines = composed(np.asarray(X), options.lines, options.seed)
    truths = ["".join(y[line.indices]) for line in lines]
    known = load_pretrained().predict(X) == y
    apart = np.array([known[line.indices].all() for line in lines])
    said, speed = read(lines)
    right = np.array([a == b for a, b in zip(said, truths, strict=True)])
    print(f"{options.subset} digits, seed {options.seed}")
    table(lines, right, apart)
    print("(digits apart: each of the line's digits is read right as MNIST has it)")
    print(f"{speed:.0f} lines a second")
    if options.sheet:
        sheet(lines, truths, said, np.flatnonzero(~right)).save(options.sheet)


if __name__ == "__main__":
    main()
