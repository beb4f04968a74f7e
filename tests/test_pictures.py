"""Pictures of digits, drawn here from MNIST's own on backgrounds of every kind."""

import io
import subprocess
import sys
import warnings
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage, sparse
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

from skdigits import PixelScaler, load_pretrained
from skdigits._pictures.background import otsu
from skdigits._pictures.decoding import LONGEST_SIDE, MOST_PIXELS, as_bytes, decode
from skdigits._pictures.mnist_form import centre_of_mass
from skdigits._pictures.stroke_width import stroke_width, thickened, thinned
from skdigits.datasets import load_mnist_sample
from skdigits.preprocessing import (
    DigitImageNormalizer,
    UnreadableImageError,
    read_digit_images,
)

X, Y = load_mnist_sample("test", return_X_y=True)
# Two of each digit.
SOME = np.concatenate([np.flatnonzero(np.asarray(Y) == digit)[3:5] for digit in np.unique(Y)])


def enlarged(row, side=200, margin=0.0):
    """A digit as ink from 0 to 1 on a larger picture."""
    digit = Image.fromarray(row.reshape(28, 28)).resize((side, side), Image.Resampling.BICUBIC)
    ink = np.clip((np.asarray(digit) / 255.0 - 0.5) * 3 + 0.5, 0, 1)
    return np.pad(ink, round(margin * side))


def on_paper(ink, paper=0.9, pen=0.15, noise=0.0, seed=0):
    """Ink on paper as bytes; paper and pen are brightnesses or arrays of them."""
    values = paper + (pen - paper) * ink
    values = values + np.random.default_rng(seed).normal(0, noise, ink.shape) if noise else values
    return np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)


def likeness(row, other):
    """Correlation of two pictures."""
    return float(np.corrcoef(np.ravel(row).astype(float), np.ravel(other).astype(float))[0, 1])


def assert_alike(rows, others, at_least=0.9):
    likenesses = np.array([likeness(a, b) for a, b in zip(rows, others, strict=True)])
    assert likenesses.min(initial=1) > at_least, likenesses.round(3)


def as_file(picture, kind="PNG", **options):
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="module")
def five():
    return on_paper(enlarged(X[SOME[10]]))


@pytest.fixture(scope="module")
def five_row(five):
    return read_digit_images(five)[0]


# What is in MNIST's form already


def test_mnist_stays_as_it_is():
    read = read_digit_images(X.reshape(-1, 28, 28))
    assert read.shape == X.shape
    assert read.dtype == np.uint8
    same = (read == X).all(axis=1)
    assert same.mean() > 0.9
    assert_alike(read[~same], X[~same], 0.8)


def test_black_on_white_gives_the_same():
    pictures = X.reshape(-1, 28, 28)
    white, black = read_digit_images(pictures), read_digit_images(255 - pictures)
    same = (white == black).all(axis=1)
    assert same.mean() > 0.9
    assert_alike(white[~same], black[~same], 0.97)


@pytest.mark.parametrize("side", [28, 60, 150, 400])
def test_form(side):
    rows = read_digit_images([on_paper(enlarged(row, side, 0.2)) for row in X[SOME]])
    for row in rows.reshape(-1, 28, 28):
        inked = row > 60
        height, width = inked.any(axis=1).sum(), inked.any(axis=0).sum()
        assert 18 <= max(height, width) <= 21
        np.testing.assert_allclose(centre_of_mass(row / 255), (14, 14), atol=0.8)
        assert row.max() == 255


# Size, place and kind of picture


@pytest.mark.parametrize("side", [40, 84, 112, 280, 500, 900])
def test_size_does_not_matter(side):
    rows = read_digit_images([on_paper(enlarged(row, side)) for row in X[SOME]])
    assert_alike(rows, X[SOME], 0.85)


@pytest.mark.parametrize(("top", "left"), [(0, 0), (0, 300), (150, 20), (300, 300)])
def test_place_does_not_matter(top, left):
    pictures = []
    for row in X[SOME]:
        ink = np.zeros((500, 500))
        ink[top : top + 200, left : left + 200] = enlarged(row)
        pictures.append(on_paper(ink))
    assert_alike(read_digit_images(pictures), X[SOME], 0.88)


def test_small_digit_on_large_photograph():
    ink = np.zeros((3000, 4000), np.float32)
    ink[1000:1300, 2500:2800] = enlarged(X[SOME[4]], 300)
    photograph = Image.fromarray(on_paper(ink))
    for source in (photograph, as_file(photograph, "JPEG"), np.asarray(photograph)):
        assert_alike(read_digit_images(source), X[SOME[4:5]], 0.85)


def pictures_by_mode(grey):
    """The same picture in every mode that Pillow knows."""
    image = Image.fromarray(grey)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    ink = Image.fromarray(255 - grey)
    clear = Image.merge("RGBA", [image, image, image, Image.new("L", image.size, 255)])
    yield "1", image.point(lambda value: 255 * (value > 128)).convert("1")
    for mode in ("L", "LA", "P", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I", "F"):
        source = image.convert("RGB") if mode in ("HSV", "LAB", "YCbCr") else image
        if mode == "LAB":
            from PIL import ImageCms

            profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
            yield mode, ImageCms.profileToProfile(source, *profiles, outputMode="LAB")
        else:
            yield mode, source.convert(mode)
    yield "I;16", deep
    yield "La", clear.convert("LA").convert("La")
    yield "RGBa", clear.convert("RGBa")
    yield "alpha only", Image.merge("LA", [Image.new("L", image.size, 0), ink])


def test_every_mode(five, five_row):
    for mode, image in pictures_by_mode(five):
        at_least = 0.95 if mode in ("1", "alpha only") else 0.99
        assert likeness(read_digit_images(image), five_row) > at_least, mode


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG", "PPM", "TGA"])
def test_every_format(five, five_row, kind):
    assert likeness(read_digit_images(as_file(five, kind)), five_row) > 0.98


def test_palette_with_transparent_paper(five, five_row):
    palette = Image.fromarray(five).convert("P")
    paper = int(np.bincount(np.asarray(palette).ravel()).argmax())
    content = as_file(palette, transparency=paper)
    with Image.open(io.BytesIO(content)) as image:
        assert "transparency" in image.info
    assert likeness(read_digit_images(content), five_row) > 0.95


@pytest.mark.parametrize("pen", [0.0, 1.0, 0.4, 0.7])
def test_strokes_on_nothing(five_row, pen):
    ink = enlarged(X[SOME[10]])
    picture = np.zeros((*ink.shape, 4), np.uint8)
    picture[:, :, :3] = round(255 * pen) * (ink[:, :, None] > 0)
    picture[:, :, 3] = np.round(255 * ink)
    assert likeness(read_digit_images(picture), five_row) > 0.97


@pytest.mark.parametrize(("paper", "pen"), [(0.95, 0.1), (0.1, 0.95)])
def test_sheet_on_nothing(five_row, paper, pen):
    sheet = on_paper(enlarged(X[SOME[10]]), paper, pen)
    picture = np.zeros((260, 300, 4), np.uint8)
    picture[30:230, 40:240] = np.dstack([sheet] * 3 + [np.full_like(sheet, 255)])
    assert likeness(read_digit_images(picture), five_row) > 0.97


@pytest.mark.parametrize(
    ("change", "values"),
    [
        (bool, lambda grey: grey > 128),
        (np.uint8, lambda grey: grey),
        (np.int16, lambda grey: grey),
        (np.uint16, lambda grey: grey.astype(np.uint16) * 257),
        (np.int64, lambda grey: grey),
        (np.uint32, lambda grey: grey.astype(np.uint32) * 2**23),
        (np.float16, lambda grey: grey / 255),
        (np.float32, lambda grey: grey),
        (np.float64, lambda grey: grey / 127.5 - 1),
        (np.float64, lambda grey: (grey / 127.5 - 1) * 1e308),
        (np.uint8, lambda grey: grey > 128),
    ],
)
def test_every_dtype(five, five_row, change, values):
    picture = np.asarray(values(five)).astype(change)
    assert likeness(read_digit_images(picture), five_row) > 0.97


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float32, np.float64])
def test_pixels_keep_their_values(dtype):
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(as_bytes(pixels.astype(dtype)), pixels)
    if np.issubdtype(dtype, np.floating):
        np.testing.assert_array_equal(as_bytes(pixels.astype(dtype) / 255), pixels)


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_rotation(five, five_row, orientation, kind):
    stored = Image.fromarray(five)
    if orientation in TURNS:
        stored = stored.transpose(TURNS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = as_file(stored, kind, exif=exif, quality=95)
    assert likeness(read_digit_images(content), five_row) > 0.98
    with Image.open(io.BytesIO(content)) as image:
        upright = read_digit_images(ImageOps.exif_transpose(image))
        np.testing.assert_array_equal(read_digit_images(image), upright)


def test_every_kind_of_source(tmp_path, five, five_row):
    path = tmp_path / "fünf 5.png"
    Image.fromarray(five).save(path)
    content = path.read_bytes()
    with open(path, "rb") as stream, Image.open(path) as image:
        stream.read(10)
        sources = [
            path, str(path), content, bytearray(content), memoryview(content),
            io.BytesIO(content), stream, image, five, five.tolist(),
            np.dstack([five] * 3), np.dstack([five] * 3 + [five | 255]),
            five[:, :, None], five[None],
        ]  # fmt: skip
        rows = read_digit_images(sources)
        assert not stream.closed
        for source in sources[:9]:
            np.testing.assert_array_equal(read_digit_images(source), rows[:1])
    assert_alike(rows, [five_row] * len(sources), 0.98)


def test_many_at_a_time(five):
    stack = np.stack([five, five[::-1]])
    rows = read_digit_images(stack)
    assert rows.shape == (2, 784)
    np.testing.assert_array_equal(rows[1:], read_digit_images(five[::-1]))
    np.testing.assert_array_equal(read_digit_images(np.stack([stack] * 3, axis=-1)), rows)
    np.testing.assert_array_equal(read_digit_images(picture for picture in stack), rows)
    np.testing.assert_array_equal(read_digit_images((five, five[::-1])), rows)
    assert read_digit_images([]).shape == (0, 784)


# Ink and paper


@pytest.mark.parametrize(
    ("paper", "pen"),
    [
        ((1.0, 1.0, 1.0), (0.1, 0.1, 0.8)),
        ((0.95, 0.9, 0.6), (0.8, 0.1, 0.1)),
        ((0.0, 0.2, 0.1), (0.9, 0.9, 0.3)),
        ((0.8, 0.2, 0.2), (0.1, 0.53, 0.1)),  # equally bright
        ((0.9, 0.5, 0.9), (0.3, 0.7, 0.6)),
    ],
)
def test_coloured_ink_on_coloured_paper(paper, pen):
    pictures = []
    for row in X[SOME]:
        ink = enlarged(row)
        channels = [on_paper(ink, *pair, noise=0.01) for pair in zip(paper, pen, strict=True)]
        pictures.append(np.dstack(channels))
    assert_alike(read_digit_images(pictures), X[SOME])


def slope(side):
    return np.linspace(0.35, 0.95, side)[:, None] * np.linspace(0.7, 1, side)[None, :]


def lamp(side):
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    return 0.95 - 0.3 * (x * x + y * y) / 2 - 0.2 * x


def shadow(side):
    y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    return 0.9 - 0.35 * (x + 0.5 * y > 0.8)


@pytest.mark.parametrize("light", [slope, lamp, shadow])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_uneven_light(light, noise):
    pictures = []
    for row in X[SOME]:
        ink = enlarged(row, 240, 0.1)
        paper = light(len(ink))
        pictures.append(on_paper(ink, paper, 0.25 * paper, noise))
    assert_alike(read_digit_images(pictures), X[SOME], 0.85)


@pytest.mark.parametrize("pen", [0.78, 0.7, 0.5])
def test_faint_pencil(pen):
    pictures = [on_paper(enlarged(row, 300), 0.9, pen, 0.01) for row in X[SOME]]
    assert_alike(read_digit_images(pictures), X[SOME], 0.85)


@pytest.mark.parametrize("n_specks", [5, 40])
def test_specks_are_dropped(n_specks):
    rng = np.random.default_rng(0)
    pictures = []
    for row in X[SOME]:
        ink = enlarged(row)
        for y, x in rng.integers(3, 195, (n_specks, 2)):
            if ndimage.maximum_filter(ink, 13)[y, x] == 0:
                ink[y : y + 3, x : x + 3] = 1
        pictures.append(on_paper(ink))
    assert_alike(read_digit_images(pictures), X[SOME], 0.88)


def ruled(ink):
    ink[12::45] = 1
    ink[13::45] = 1


def squared(ink):
    ink[7::32] = 1
    ink[:, 11::32] = 1


def faintly_squared(ink):
    ink[7::20] = np.maximum(ink[7::20], 0.3)
    ink[:, 11::20] = np.maximum(ink[:, 11::20], 0.3)


def tilted_rules(ink):
    image = Image.fromarray(ink)
    draw = ImageDraw.Draw(image)
    for y in range(-40, 300, 50):
        draw.line([(0, y), (len(ink), y + 20)], fill=1.0, width=2)
    ink[:] = np.asarray(image)


def framed(ink):
    for side in (ink[8:12], ink[-12:-8], ink[:, 8:12], ink[:, -12:-8]):
        side[:] = 1
    ink[:8] = ink[-8:] = ink[:, :8] = ink[:, -8:] = 0


def underlined(ink):
    ink[-18:-14, 40:-40] = 1


def edged(ink):
    ink[:, -14:-8] = 1


def on_table(ink):
    ink[:30] = ink[:, -25:] = 1.0


def margin_line(ink):
    ink[:, 14:17] = 1


@pytest.mark.parametrize(
    "mark",
    [
        ruled,
        squared,
        faintly_squared,
        tilted_rules,
        framed,
        underlined,
        edged,
        on_table,
        margin_line,
    ],
)
def test_what_is_no_handwriting_is_left_out(mark):
    pictures = []
    for row in X[SOME]:
        ink = enlarged(row, 200, 0.15)
        mark(ink)
        pictures.append(on_paper(ink, noise=0.01))
    assert_alike(read_digit_images(pictures), X[SOME], 0.75)


@pytest.mark.parametrize("inverted", [False, True])
def test_tightly_cut_out(inverted):
    pictures = []
    # Without the 1s: of an upright one nothing but ink would be left.
    digits = X[np.delete(SOME, [2, 3])]
    for row in digits:
        ink = enlarged(row)
        inked = ink > 0.5
        rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
        picture = on_paper(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        pictures.append(255 - picture if inverted else picture)
    assert_alike(read_digit_images(pictures), digits, 0.85)


def test_hairs_to_the_border_are_left_out():
    image = Image.fromarray(enlarged(X[SOME[10]], 160, 0.1).astype(np.float32))
    ImageDraw.Draw(image).line([(0, 20), (191, 170)], fill=1.0, width=1)
    assert likeness(read_digit_images(on_paper(np.asarray(image))), X[SOME[10]]) > 0.8


@pytest.mark.parametrize("table", [0.05, 0.5])
def test_page_on_a_table(table):
    pictures = []
    for row in X[SOME]:
        photograph = np.full((400, 500), round(255 * table), np.uint8)
        photograph[60:340, 90:400] = on_paper(np.pad(enlarged(row), [(40, 40), (50, 60)]))
        pictures.append(photograph)
    assert_alike(read_digit_images(pictures), X[SOME], 0.85)


# Strokes


def drawn(strokes, side=300, width=3):
    image = Image.new("L", (side, side), 255)
    draw = ImageDraw.Draw(image)
    for stroke in strokes:
        draw.line([(x * side, y * side) for x, y in stroke], fill=0, width=width, joint="curve")
    return np.asarray(image)


EIGHT = [
    [(0.5 + 0.13 * np.sin(2 * t), 0.5 - 0.3 * np.cos(t)) for t in np.linspace(0, 2 * np.pi, 100)]
]
LOOSE_FIVE = [
    [(0.36, 0.25), (0.62, 0.24)],
    [(0.35, 0.30), (0.34, 0.48), (0.5, 0.45), (0.62, 0.55), (0.6, 0.7), (0.45, 0.78), (0.3, 0.72)],
]


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("side", [60, 150, 400])
def test_thin_strokes_get_weight(side, width):
    if width > side / 20:
        pytest.skip("not thin at this size")
    row = read_digit_images(drawn(EIGHT, side, width))[0].reshape(28, 28)
    assert 1.7 < stroke_width(row / 255) < 3.5


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("narrow", [0.5, 0.7, 1.0])
def test_loops_stay_open(width, narrow):
    eight = [[(0.5 + narrow * (x - 0.5), y) for x, y in EIGHT[0]]]
    row = read_digit_images(drawn(eight, 300, width))[0].reshape(28, 28)
    _, n_parts = ndimage.label(row < 128)
    assert n_parts == 3


def test_loose_strokes_are_kept_together():
    with_bar, without = read_digit_images(
        [drawn(LOOSE_FIVE, width=10), drawn(LOOSE_FIVE[1:], width=10)]
    )
    assert with_bar.reshape(28, 28)[4:8, 12:20].max() == 255
    assert likeness(with_bar, without) < 0.9


def test_growing_strokes_keep_their_distance():
    strokes = np.zeros((60, 60), np.float32)
    strokes[10:50, 20:22] = strokes[10:50, 30:32] = 1
    grown = thickened(strokes, 6, 4)
    assert (grown[30] > 0.5).sum() == 2 * 2 + 12 + 2 * 2
    np.testing.assert_array_equal(grown[30, 25:27], 0)


def test_slimmed_strokes_keep_a_core():
    strokes = np.zeros((60, 60), np.float32)
    strokes[10:50, 10:30] = strokes[10:50, 40:44] = 1
    slimmed = thinned(strokes, 5, 3)
    assert (slimmed[30, :35] > 0.5).sum() == 20 - 2 * 5
    assert 1 <= (slimmed[30, 35:] > 0.5).sum() <= 4


def test_stroke_width_of_a_bar():
    bar = np.zeros((100, 100))
    bar[10:90, 40:46] = 1
    assert stroke_width(bar) == pytest.approx(2 * 80 * 6 / (2 * (80 + 6)), rel=0.02)


def test_otsu_separates_two_groups():
    values = np.concatenate([np.full(900, 0.2), np.full(100, 0.8)]).astype(np.float32)
    assert 0.25 < otsu(values) < 0.75
    noisy = np.random.default_rng(0).normal(values, 0.03).astype(np.float32)
    assert 0.35 < otsu(noisy) < 0.65


# What cannot be read


def noise(kind):
    rng = np.random.default_rng(0)
    if kind == "grain":
        return rng.normal(200, 6, (300, 300)).clip(0, 255).astype(np.uint8)
    if kind == "salt":
        return (rng.random((200, 200)) < 0.1).astype(np.uint8) * 255
    side = {"uniform": 300, "small": 28, "tiny": 12}[kind]
    return rng.integers(0, 256, (side, side), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["grain", "salt", "uniform", "small"])
def test_noise_is_no_digit(kind):
    with pytest.raises(UnreadableImageError, match=r"^picture 0 \(ndarray\): holds no digit"):
        read_digit_images(noise(kind))


@pytest.mark.parametrize("value", [0, 1, 128, 255])
@pytest.mark.parametrize("shape", [(28, 28), (300, 200), (50, 50, 3), (50, 50, 4)])
def test_blank_is_no_digit(value, shape):
    with pytest.raises(UnreadableImageError, match="holds no digit: nothing stands out"):
        read_digit_images(np.full(shape, value, np.uint8))


def test_blank_paper_in_uneven_light_is_no_digit():
    for light in (slope, lamp):
        picture = on_paper(np.zeros((200, 200)), light(200), noise=0.01)
        with pytest.raises(UnreadableImageError, match="holds no digit"):
            read_digit_images(picture)


@pytest.mark.parametrize("size", [1, 3, 8, 20])
def test_blotchy_paper_is_no_digit(size):
    rng = np.random.default_rng(size)
    for _ in range(5):
        blotches = ndimage.gaussian_filter(rng.normal(size=(300, 300)), size)
        paper = 0.85 + 0.015 * blotches / blotches.std() + rng.normal(0, 0.01, blotches.shape)
        with pytest.raises(UnreadableImageError, match="holds no digit"):
            read_digit_images(np.round(255 * paper.clip(0, 1)).astype(np.uint8))


@pytest.mark.parametrize("n_digits", [2, 3, 5])
def test_several_digits_are_too_many(n_digits):
    row = np.hstack([on_paper(enlarged(X[index], 100)) for index in SOME[4 : 4 + n_digits]])
    with pytest.raises(UnreadableImageError, match="digits or more, expected one"):
        read_digit_images(row)


def png_header(width, height):
    """A file of a few bytes that says it holds a huge picture."""

    def chunk(name, content):
        body = name + content
        return len(content).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data = zlib.compress(bytes(1000))
    header = chunk(b"IHDR", size + b"\x08\x00\x00\x00\x00")
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.fixture
def bad_files(tmp_path, five):
    """Paths of files that cannot be read, with the reason that has to be given."""
    whole = as_file(five)
    contents = {
        "empty.png": (b"", "holds no picture of a known format"),
        "text.png": (b"seven\n" * 100, "holds no picture of a known format"),
        "cut.png": (whole[: len(whole) // 2], "is broken"),
        "cut.jpg": (as_file(five, "JPEG")[:600], "is broken"),
        "bomb.png": (png_header(9000, 9000), "9000 × 9000 pixels, expected at most 64,000,000"),
        "bigger.png": (png_header(60_000, 60_000), "cannot be opened: .*exceeds limit"),
        "drawing.eps": (as_file(five, "EPS"), "in the format EPS"),
    }
    for name, (content, _) in contents.items():
        Path(tmp_path, name).write_bytes(content)
    reasons = {name: reason for name, (_, reason) in contents.items()}
    return tmp_path, reasons | {"missing.png": "No such file", ".": "is a folder"}


def test_bad_files_are_named_with_the_reason(bad_files):
    folder, reasons = bad_files
    for name, reason in reasons.items():
        path = folder / name
        with pytest.raises(UnreadableImageError, match=reason) as caught:
            read_digit_images(str(path))
        assert str(caught.value).startswith(f"{path}: ")
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ([None], "got NoneType, expected a path"),
        ([7], "got int, expected a path"),
        ([io.StringIO("7")], "in text mode"),
        (np.zeros(784), r"got an array of shape \(784,\)"),
        ([np.zeros((28, 28, 5))], r"got an array of shape \(28, 28, 5\)"),
        (np.zeros((0, 28)), "holds no pixels"),
        (np.zeros((28, 2)), "holds no digit: 2 × 28 pixels"),
        (np.full((28, 28), np.nan), "infinite or no numbers"),
        (np.full((28, 28), np.inf), "infinite or no numbers"),
        ([np.full((28, 28), 1j)], "dtype complex128, expected numbers"),
        ([[["7", "7"]]], "dtype <U1, expected numbers"),
        ([[[1, 2], [3]]], "is no array of numbers"),
        ([b"\0" * 10], "holds no picture of a known format"),
        (["a\0b.png"], "cannot be opened"),
    ],
)
def test_what_is_no_picture_is_told(source, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        read_digit_images(source)


def test_other_arguments_are_refused():
    with pytest.raises(TypeError, match="Got int, expected paths"):
        read_digit_images(7)
    with pytest.raises(ValueError, match="Got errors='skip', expected one of"):
        read_digit_images([], errors="skip")


def test_bad_files_do_not_lose_the_others(bad_files, five, five_row):
    folder, reasons = bad_files
    bad = [folder / name for name in reasons]
    sources = [five, *bad, five, np.zeros((28, 28)), as_file(five)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        rows = read_digit_images(sources, errors="ignore")
    read = rows.any(axis=1)
    assert read.tolist() == [True] + [False] * len(bad) + [True, False, True]
    assert_alike(rows[read], [five_row] * 3, 0.999)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(read_digit_images(sources, errors="warn"), rows)
    told = [str(warning.message) for warning in caught if warning.category is UserWarning]
    assert len(told) == len(bad) + 1
    for path, message in zip(bad, told, strict=False):
        assert message.startswith(f"{path}: ")
    assert {warning.filename for warning in caught if warning.category is UserWarning} == {__file__}


def test_large_files_are_decoded_small(five):
    large = Image.fromarray(five).resize((5000, 4000))
    for content in (as_file(large, "JPEG"), as_file(large), as_file(large.convert("1"))):
        image = decode(content)
        assert LONGEST_SIDE / 2 < max(image.size) <= LONGEST_SIDE
    assert MOST_PIXELS * 4 < 2**28


# What is left alone


def test_nothing_of_the_callers_is_changed(five):
    arrays = [
        five,
        five / 255.0,
        np.dstack([five] * 4),
        five.astype(np.int64),
        X[0].reshape(28, 28),
    ]
    for array in arrays:
        before = array.copy()
        array.setflags(write=False)
        read_digit_images(array)[:] = 0
        np.testing.assert_array_equal(array, before)
    image = Image.open(io.BytesIO(as_file(Image.fromarray(five).resize((3000, 3000)), "JPEG")))
    read_digit_images(image)
    assert image.size == (3000, 3000)
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image).shape, (3000, 3000))


def test_global_state_is_left_alone(bad_files):
    folder, reasons = bad_files
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with warnings.catch_warnings(record=True):
        inside = list(warnings.filters)
        read_digit_images([folder / name for name in reasons], errors="ignore")
        assert list(warnings.filters) == inside
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_pillow_is_not_imported_before_it_is_needed():
    script = "import skdigits.preprocessing, sys; print('PIL' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


DTYPES = [np.uint8, np.bool_, np.int8, np.uint16, np.int64, np.float16, np.float32, np.float64]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=1, max_dims=4, max_side=40))
    )
)
def test_any_array_is_read_or_refused(picture):
    row = read_digit_images([picture], errors="ignore")
    assert row.shape == (1, 784)
    assert row.any() == (row.max() == 255)


@cache
def sure_digits():
    """Digits of which the network is sure: the others may be read with other settings."""
    return X[load_pretrained().decision_function(X).max(axis=1) > 11]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 899),
    st.integers(60, 320),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_any_digit_of_any_size_anywhere(index, side, paper, pen, top, left):
    if abs(paper - pen) < 0.15:
        pen = paper + (0.3 if paper < 0.5 else -0.3)
    digit = sure_digits()[index]
    ink = np.pad(enlarged(digit, side), [(top, 60 - top), (left, 60 - left)])
    assert likeness(read_digit_images(on_paper(ink, paper, pen)), digit) > 0.6


# The transformer


def test_normalizer_reads_rows_images_and_lists(five):
    normalizer = DigitImageNormalizer()
    expected = read_digit_images(X[:20].reshape(-1, 28, 28))
    frame = pd.DataFrame(X[:20], columns=[f"p{i}" for i in range(784)])
    inputs = [X[:20], X[:20].reshape(-1, 28, 28), list(X[:20].reshape(-1, 28, 28)), frame]
    inputs += [X[:20].astype(np.float64), X[:20] / 255.0, X[:20].tolist()]
    for pictures in inputs:
        rows = clone(normalizer).fit(pictures).transform(pictures)
        assert rows.dtype == np.uint8
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_array_equal(clone(normalizer).fit_transform(pictures), expected)
    np.testing.assert_array_equal(normalizer.transform(X[:20]), expected)
    files = [as_file(five), five, Image.fromarray(five)]
    np.testing.assert_array_equal(normalizer.transform(files), read_digit_images(files))
    paths = pd.Series(["missing.png", "missing too.png"])
    assert not DigitImageNormalizer("ignore").transform(paths).any()


def test_normalizer_in_a_pipeline(five):
    pipeline = make_pipeline(DigitImageNormalizer(), PixelScaler()).fit(X[:50])
    assert pipeline.transform([five]).shape == (1, 784)
    np.testing.assert_array_equal(
        pipeline[1:].transform(read_digit_images([five])), pipeline.transform([five])
    )


def test_normalizer_checks_columns_and_errors():
    normalizer = DigitImageNormalizer().fit(X[:5])
    assert normalizer.n_features_in_ == 784
    with pytest.raises(ValueError, match="X has 400 features, but DigitImageNormalizer is expecti"):
        normalizer.transform(np.zeros((2, 400)))
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        DigitImageNormalizer().fit(np.zeros(784))
    with pytest.raises(UnreadableImageError, match=r"picture 0 .*got an array of shape \(5,\)"):
        DigitImageNormalizer().transform(np.zeros((2, 5)))
    with pytest.raises(UnreadableImageError, match="picture 1 "):
        normalizer.transform(np.vstack([X[:1], np.zeros((1, 784))]))
    with pytest.warns(UserWarning, match="picture 1 "):
        rows = DigitImageNormalizer(errors="warn").transform(np.vstack([X[:1], 0 * X[:1]]))
    assert rows.any(axis=1).tolist() == [True, False]
    with pytest.raises(TypeError, match="Sparse data was passed"):
        normalizer.transform(sparse.csr_array(X[:5]))


def test_normalizer_names_its_features():
    normalizer = DigitImageNormalizer().set_output(transform="pandas")
    frame = normalizer.fit_transform(X[:3])
    assert list(frame.columns) == [f"pixel{i}" for i in range(1, 785)]


@parametrize_with_checks([DigitImageNormalizer(errors="ignore")])
def test_normalizer_against_scikit_learns_checks(estimator, check):
    check(estimator)


def test_checks_that_hand_in_no_pictures():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(DigitImageNormalizer(), on_fail=None, on_skip=None)
    reasons = [repr(result["exception"]) for result in results if result["status"] == "failed"]
    assert all("expected (height, width)" in reason or "1 sample" in reason for reason in reasons)
