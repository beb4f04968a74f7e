"""
People's own digits
===================

How many of people's own digits a network reads: photographs, scans and drawings, source by
source, converted with care, or just resized to 28 × 28, or resized and inverted where the border
is bright. The folder has a manifest.csv with the columns path, label, source and kind::

    python own_digits.py FOLDER [--model FILE] [--sheet FILE.png]

``--sheet`` draws every failure: the original, what the network saw, the prediction and the truth.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import skdigits
from skdigits.preprocessing import read_digit_images

TILE, COLUMNS = 112, 6


def entries(folder: Path) -> list[dict[str, str]]:
    """The rows of the manifest."""
    with open(folder / "manifest.csv", newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def resized(path: Path) -> np.ndarray:
    """A picture squeezed into 28 × 28, and nothing else."""
    with Image.open(path) as image:
        return np.asarray(image.convert("L").resize((28, 28))).ravel()


def inverted(row: np.ndarray) -> np.ndarray:
    """The row white on black, judged by its border."""
    picture = row.reshape(28, 28)
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return 255 - row if np.median(border) > 127 else row


def table(rows: list[dict[str, str]], right: dict[str, np.ndarray]) -> None:
    """Accuracy averaged over sources, in all and by kind, per conversion."""
    groups: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, row in enumerate(rows):
        groups["all"][row["source"]].append(index)
        groups[row["kind"]][row["source"]].append(index)
    print(f"{'kind':6}{'sources':>7}{'pictures':>9}" + "".join(f"{name:>14}" for name in right))
    for kind, sources in groups.items():
        n_pictures = sum(map(len, sources.values()))
        print(f"{kind:6}{len(sources):7}{n_pictures:9}", end="")
        for hits in right.values():
            mean = 100 * np.mean([hits[indices].mean() for indices in sources.values()])
            print(
                f"{mean:8.1f}{100 * hits[np.concatenate([*sources.values()])].mean():6.1f}",
                end="",
            )
        print()
    print("(percent: averaged over sources, and over pictures)\n")
    worst = sorted(groups["all"].items(), key=lambda item: right["careful"][item[1]].mean())
    for source, indices in worst:
        hits = [f"{100 * values[indices].mean():7.1f}" for values in right.values()]
        print(f"{source[:52]:52}{len(indices):4}{''.join(hits)}")


def sheet(
    paths: list[Path], seen: np.ndarray, labels: np.ndarray, said: np.ndarray, wrong: np.ndarray
) -> Image.Image:
    """A contact sheet of the pictures at the indices `wrong`."""
    n_rows = max(1, -(-len(wrong) // COLUMNS))
    canvas = Image.new("RGB", (COLUMNS * (2 * TILE + 12), n_rows * (TILE + 34)), "#7090b0")
    draw = ImageDraw.Draw(canvas)
    for place, index in enumerate(wrong):
        left, top = place % COLUMNS * (2 * TILE + 12), place // COLUMNS * (TILE + 34)
        with Image.open(paths[index]) as image:
            original = image.convert("RGBA")
            original.thumbnail((TILE, TILE))
            if max(original.size) < TILE // 2:
                grown = tuple(side * TILE // max(original.size) for side in original.size)
                original = original.resize(grown, Image.Resampling.NEAREST)
        canvas.paste(original, (left, top), original)
        picture = Image.fromarray(seen[index].reshape(28, 28))
        canvas.paste(picture.resize((TILE, TILE), Image.Resampling.NEAREST), (left + TILE + 2, top))
        draw.text((left, top + TILE + 2), f"{said[index]} for {labels[index]}", fill="yellow")
        name = f"{paths[index].parent.name[:24]}/{paths[index].name}"
        draw.text((left, top + TILE + 14), name, fill="white")
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy on people's own digits.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, help="default: the pretrained pipeline")
    parser.add_argument("--sheet", type=Path, help="a PNG file for the failures")
    options = parser.parse_args()
    model = skdigits.load(options.model) if options.model else skdigits.load_pretrained()
    rows = entries(options.folder)
    paths = [options.folder / row["path"] for row in rows]
    labels = np.array([row["label"] for row in rows])
    plain = np.array([resized(path) for path in paths])
    start = time.perf_counter()
    careful = read_digit_images(paths, errors="warn")
    seconds = time.perf_counter() - start
    pictures = {"resized": plain, "inverted": np.apply_along_axis(inverted, 1, plain)}
    pictures["careful"] = careful
    said = {name: model.predict(X).astype(str) for name, X in pictures.items()}
    said["careful"][~careful.any(axis=1)] = "none"
    table(rows, {name: words == labels for name, words in said.items()})
    wrong = np.flatnonzero(said["careful"] != labels)
    print(f"\n{len(wrong)} of {len(rows)} wrong; {len(rows) / seconds:.0f} pictures a second")
    for index in wrong:
        print(f"  {rows[index]['path']}: {said['careful'][index]} for {labels[index]}")
    if options.sheet:
        sheet(paths, careful, labels, said["careful"], wrong).save(options.sheet)


if __name__ == "__main__":
    main()
