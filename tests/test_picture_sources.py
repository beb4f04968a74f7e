"""Sources of pictures: formats, data URLs, canvas pixels, layouts of arrays, limits."""

import base64
import io
import json
import os
import struct
import threading
import tracemalloc
import warnings

import numpy as np
import pytest
from PIL import Image

from skdigits.datasets import load_mnist_sample
from skdigits.preprocessing import (
    DigitImageNormalizer,
    UnreadableImageError,
    read_digit_images,
    read_number,
)

X, _ = load_mnist_sample("test", return_X_y=True)


def enlarged(row):
    image = Image.fromarray(255 - row.reshape(28, 28))
    return image.resize((140, 140), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def pages():
    return [enlarged(row) for row in X[:4]]


@pytest.fixture(scope="module")
def rows(pages):
    return read_digit_images(pages)


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


# Formats


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG", "AVIF"])
def test_several_pages_are_refused(pages, kind):
    if kind not in Image.registered_extensions().values():
        pytest.skip("this Pillow has no AVIF")
    content = encoded(pages[0], kind, save_all=True, append_images=pages[1:3])
    with pytest.raises(UnreadableImageError, match="has 3 pages, expected one"):
        read_digit_images([content])
    with (
        Image.open(io.BytesIO(content)) as image,
        pytest.raises(UnreadableImageError, match="3 pages"),
    ):
        read_digit_images(image)


def test_pages_can_be_read_one_by_one_as_the_message_says(pages, rows):
    from PIL import ImageSequence

    content = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with Image.open(io.BytesIO(content)) as image:
        read = read_digit_images([page.copy() for page in ImageSequence.Iterator(image)])
    np.testing.assert_array_equal(read, rows)


def test_photographs_with_a_preview_are_one_picture(pages):
    content = encoded(pages[0], "MPO", save_all=True, append_images=[pages[0].resize((40, 40))])
    assert Image.open(io.BytesIO(content)).n_frames == 2
    np.testing.assert_array_equal(
        read_digit_images(content), read_digit_images(encoded(pages[0], "JPEG"))
    )


@pytest.mark.parametrize("kind", ["ICO", "ICNS", "PCX", "SGI", "MSP"])
def test_other_formats_of_pillow_are_refused(pages, kind):
    image = pages[0].resize((128, 128)).convert({"MSP": "1", "ICNS": "RGBA"}.get(kind, "L"))
    with pytest.raises(UnreadableImageError, match=r"no picture of a known format \(PNG, JPEG"):
        read_digit_images(encoded(image, kind))
    with (
        Image.open(io.BytesIO(encoded(image, kind))) as opened,
        pytest.raises(UnreadableImageError, match=f"in the format {kind}, expected one of PNG"),
    ):
        read_digit_images(opened)


def iptc_with(content):
    def field(record, number, data):
        return bytes([0x1C, record, number]) + struct.pack(">H", len(data)) + data

    size = struct.pack(">H", 100)
    fields = [(3, 60, b"\1\0"), (3, 20, size), (3, 30, size), (3, 120, b"\5"), (8, 10, content)]
    return b"".join(field(*entry) for entry in fields)


def test_postscript_inside_other_formats_is_not_run(tmp_path, monkeypatch):
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n%%EOF\n"
    for content in (postscript, iptc_with(postscript)):
        with pytest.raises(UnreadableImageError, match="no picture of a known format"):
            read_digit_images(content)
        with Image.open(io.BytesIO(content)) as image, pytest.raises(UnreadableImageError):
            read_digit_images(image)
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"%PDF-1.7\n%abc", "PDF document, convert"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG drawing, convert"),
        (b"\xef\xbb\xbf <?xml version='1.0'?><svg/>", "SVG drawing, convert"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "format EPS, convert"),
    ],
)
def test_documents_and_drawings_are_refused_with_a_hint(content, hint):
    with pytest.raises(UnreadableImageError, match=hint):
        read_digit_images([content])


@pytest.mark.parametrize("url", ["https://example.org/7.png", "file:///tmp/7.png", "HTTP://a/7"])
def test_urls_are_refused_with_a_hint(url):
    with pytest.raises(UnreadableImageError, match=r"is a URL .*download the picture"):
        read_digit_images(url)


def test_heic(pages, rows, monkeypatch):
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(pages[0].convert("RGB")).save(stream, quality=95)
    read = read_digit_images(stream.getvalue())
    assert np.corrcoef(read[0], rows[0])[0, 1] > 0.97
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(UnreadableImageError, match=r'pip install "skdigits\[heic\]"'):
        read_digit_images(stream.getvalue())


# Data URLs and canvas pixels


def test_data_urls(pages, rows):
    content = base64.b64encode(encoded(pages[0])).decode()
    lines = "\n".join(content[i : i + 76] for i in range(0, len(content), 76))
    quoted = content.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    urls = [
        f"data:image/png;base64,{content}",
        f"DATA:image/png;BASE64,{content}",
        f"data:;base64,{content}",
        f"  data:image/png;name=7.png;base64,{lines}\n",
        f"data:image/png;base64,{quoted}",
        f"data:image/png;base64,{content.rstrip('=')}",
        f"data:image/png;base64,{content.replace('+', '-').replace('/', '_')}",
        "data:image/png," + "".join(f"%{byte:02x}" for byte in encoded(pages[0])),
    ]
    read = read_digit_images(urls)
    np.testing.assert_array_equal(read, np.repeat(rows[:1], len(urls), axis=0))
    np.testing.assert_array_equal(read_digit_images(urls[0]), rows[:1])
    assert len(read_number(urls[0]).text) == 1


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data:image/png;base64,", "no picture of a known format"),
        ("data:image/png;base64,!!!!", "broken data URL"),
        ("data:image/png;base64,abcde", "broken data URL"),
        ("data:image/png;base64,äöü", "broken data URL"),
        ("data:text/plain,seven", "no picture of a known format"),
        ("data:image/svg+xml;utf8,<svg/>", "SVG drawing: convert"),
        ("data:application/pdf;base64,JVBERi0=", "PDF document: convert"),
        ("data:image/png;base64", "cannot be opened: No such file"),
    ],
)
def test_broken_data_urls_are_refused(url, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        read_digit_images([url])


def test_image_data_of_a_canvas(pages, rows):
    pixels = np.asarray(pages[0].convert("RGBA"))
    data = pixels.ravel().tolist()
    canvas = {"data": data, "width": 140, "height": 140}
    as_object = {"data": {str(i): v for i, v in enumerate(data)}, "width": 140, "height": 140}
    sources = [canvas, json.loads(json.dumps(as_object)), canvas | {"data": pixels.tobytes()}]
    sources.append(canvas | {"colorSpace": "srgb"})
    np.testing.assert_array_equal(read_digit_images(sources), np.repeat(rows[:1], 4, axis=0))
    np.testing.assert_array_equal(read_digit_images(canvas), rows[:1])
    for change in (
        {"width": 139},
        {"width": "a"},
        {"height": 0},
        {"data": None},
        {"data": {"a": 1}},
    ):
        with pytest.raises(UnreadableImageError, match="ImageData"):
            read_digit_images(canvas | change)


# Arrays


def test_arrays_of_paths(tmp_path, pages, rows):
    paths = [str(tmp_path / f"{number}.png") for number in range(len(pages))]
    for path, page in zip(paths, pages, strict=True):
        page.save(path)
    for sources in (np.array(paths), np.array(paths, dtype=object), np.array(paths)[:, None]):
        np.testing.assert_array_equal(read_digit_images(sources), rows)
    for source in (np.array(paths)[0], np.array(paths[0])):
        np.testing.assert_array_equal(read_digit_images(source), rows[:1])
    np.testing.assert_array_equal(DigitImageNormalizer().fit_transform(np.array(paths)), rows)


@pytest.mark.parametrize("n_channels", [3, 4])
def test_channels_first(pages, rows, n_channels):
    mode = {3: "RGB", 4: "RGBA"}[n_channels]
    last = np.stack([np.asarray(page.convert(mode)) for page in pages])
    first = np.moveaxis(last, -1, 1)
    np.testing.assert_array_equal(read_digit_images(first), rows)
    np.testing.assert_array_equal(read_digit_images(list(first)), rows)
    np.testing.assert_array_equal(read_digit_images(first[:, :1]), rows)
    # One picture with channels first has the shape of three pictures.
    with pytest.raises(UnreadableImageError, match=r"channels of one picture.*moveaxis"):
        read_digit_images(first[0])
    np.testing.assert_array_equal(read_digit_images([first[0]]), rows[:1])
    np.testing.assert_array_equal(read_digit_images(np.moveaxis(first[0], 0, -1)), rows[:1])


def test_red_ink_with_channels_first_is_refused(pages):
    ink = np.asarray(pages[0])
    picture = np.stack([np.full_like(ink, 250), ink, ink])
    picture = np.maximum(picture, 10)
    picture = picture - np.random.default_rng(0).integers(0, 5, picture.shape, dtype=np.uint8)
    with pytest.raises(UnreadableImageError, match="channels of one picture"):
        read_digit_images(picture)


def test_three_or_four_pictures_are_not_taken_for_channels(pages, rows):
    for n_pictures in (3, 4):
        stack = np.stack([np.asarray(page) for page in pages[:n_pictures]])
        np.testing.assert_array_equal(read_digit_images(stack), rows[:n_pictures])
    same = np.repeat(X[:1], 3, axis=0).reshape(-1, 28, 28)
    np.testing.assert_array_equal(read_digit_images(same), same.reshape(3, -1))


def test_batches_of_keras_and_tensors(pages, rows):
    tensorflow = pytest.importorskip("tensorflow")
    images = np.stack([np.asarray(page) for page in pages])
    batches = [images[..., None], list(images), list(images[..., None]), pages]
    batches += [tensorflow.constant(images), list(tensorflow.constant(images))]
    for batch in batches:
        np.testing.assert_array_equal(read_digit_images(batch), rows)
        np.testing.assert_array_equal(DigitImageNormalizer().fit_transform(batch), rows)


@pytest.mark.parametrize(
    "flat",
    [X[:50], X[:1], X[:50] / 255.0, X[:50].astype(np.int64), np.zeros((5, 784))],
    ids=["uint8", "one", "float", "int64", "zeros"],
)
def test_flat_rows_need_no_reading(flat):
    with pytest.raises(ValueError, match=r"rows of 784 pixels in MNIST's format need no reading"):
        read_digit_images(flat, errors="ignore")


@pytest.mark.parametrize("flat", [X[0], list(X[:2]), X[0] / 255.0])
def test_single_flat_rows_need_no_reading(flat):
    with pytest.raises(UnreadableImageError, match="Flat rows of pixels need no reading"):
        read_digit_images(flat)


def test_wide_pictures_of_784_pixels_are_no_flat_rows(pages):
    wide = np.full((200, 784), 230, np.uint8)
    wide[30:170, 300:440] = np.minimum(np.asarray(pages[0]), 230)
    assert read_digit_images(wide).any()


# Limits


@pytest.mark.parametrize("kind", ["fifo", "device", "socket"])
def test_pipes_devices_and_sockets_are_refused_at_once(tmp_path, kind):
    path = tmp_path / "picture.png"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = "/dev/zero"
    else:
        import socket

        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    found = []

    def read():
        try:
            read_digit_images(str(path))
        except UnreadableImageError as error:
            found.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(20)
    assert len(found) == 1
    assert "expected a regular file" in found[0]


def test_endless_streams_are_read_up_to_a_limit(monkeypatch):
    monkeypatch.setattr("skdigits._pictures.sources.MOST_BYTES", 1000)

    class Endless:
        def read(self, n_bytes=-1):
            assert n_bytes >= 0
            return bytes(n_bytes)

    for source in (Endless(), bytes(2000), f"data:image/png;base64,{'A' * 2000}"):
        with pytest.raises(UnreadableImageError, match="bytes, expected at most 1,000"):
            read_digit_images([source])


def test_large_files_are_refused_before_they_are_read(tmp_path):
    path = tmp_path / "large.tif"
    with open(path, "wb") as stream:
        stream.write(b"II*\0")
        stream.truncate(10_000_000_000)
    with pytest.raises(UnreadableImageError, match="10,000,000,000 bytes, expected at most"):
        read_digit_images(path)


def webp_header(width, height):
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + (10).to_bytes(4, "little") + bytes(4) + size
    return b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk


def tiff_with_tile(side):
    """A TIFF of 10 × 10 pixels in one tile of side × side."""
    entries = [(256, 3, 10), (257, 3, 10), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    entries += [(322, 4, side), (323, 4, side), (324, 4, 8), (325, 4, 100)]
    fields = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    head = b"II*\0" + struct.pack("<I", 108) + bytes(100)
    return head + struct.pack("<H", len(entries)) + fields + bytes(4)


def progressive_jpeg(width, height):
    stream = io.BytesIO()
    Image.new("L", (64, 64), 255).save(stream, "JPEG", progressive=True)
    content = bytearray(stream.getvalue())
    place = content.index(b"\xff\xc2")
    content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [webp_header(16_000, 16_000), tiff_with_tile(60_000), progressive_jpeg(13_000, 13_000)],
    ids=["webp", "tiff tile", "progressive jpeg"],
)
def test_sizes_are_checked_before_memory_is_allocated(content):
    with pytest.raises(UnreadableImageError, match="pixels, expected at most 64,000,000"):
        read_digit_images(content)


def test_broadcast_arrays_are_refused_by_their_shape():
    huge = np.broadcast_to(np.uint8(0), (100_000, 100_000))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableImageError, match="100000 × 100000 pixels, expected at most"):
            read_digit_images(huge)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


# Messages


@pytest.mark.parametrize(
    "source",
    ["x" * 100_000, "x/" * 3000 + "a.png", b"x" * 100_000, "data:," + "x" * 100_000, ["7"] * 9999],
)
def test_messages_are_short(source):
    with pytest.raises(UnreadableImageError) as caught:
        read_digit_images([source])
    assert len(str(caught.value)) <= 500


def test_names_in_messages_have_no_control_characters(tmp_path):
    path = tmp_path / "a\x1b[2J\n.png"
    path.touch()
    with pytest.raises(UnreadableImageError, match=r"a\\x1b\[2J\\n\.png: holds no picture"):
        read_digit_images(path)
    with pytest.warns(UserWarning, match=r"a\\x1b\[2J\\n\.png"):
        read_digit_images(str(path), errors="warn")
    with pytest.raises(UnreadableImageError, match=r"a\\x1b\[2J\\n\.png"):
        read_number(path)


# Whatever is in a picture


@pytest.mark.parametrize("period", range(2, 9))
@pytest.mark.parametrize("side", [40, 100, 200])
def test_fine_grids_are_read_or_refused(period, side):
    grid = np.full((side, side), 255, np.uint8)
    grid[::period] = grid[:, ::period] = 0
    for picture in (grid, 255 - grid, grid[: side // 2], grid[:, : side // 2]):
        assert read_digit_images([picture], errors="ignore").shape == (1, 784)


class Strange:
    """An array-like whose conversion fails."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("on another device")


def test_any_failure_ends_one_picture_and_not_the_batch(pages, rows):
    class Lazy(Image.Image):
        def getexif(self):
            raise MemoryError

        def load(self):
            raise RecursionError("deep")

    sources = [pages[0], Strange(), Lazy(), {"a": 1}, object(), pages[1]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = read_digit_images(sources, errors="ignore")
    np.testing.assert_array_equal(read.any(axis=1), [True, False, False, False, False, True])
    np.testing.assert_array_equal(read[[0, -1]], rows[:2])


# Frames and readings


@pytest.mark.parametrize("side", [28, 32, 48, 96])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_thin_frames_of_small_pictures_are_left_out(side, width):
    def resized(row):
        image = Image.fromarray(255 - row.reshape(28, 28))
        return np.array(image.resize((side, side), Image.Resampling.BICUBIC))

    plain = [resized(row) for row in X[:10]]
    framed = [picture.copy() for picture in plain]
    for picture in framed:
        picture[:width] = picture[-width:] = picture[:, :width] = picture[:, -width:] = 0
    inverted = [255 - picture for picture in framed]
    expected = read_digit_images(plain)
    for read in (read_digit_images(framed), read_digit_images(inverted)):
        alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(read, expected, strict=True)]
        assert min(alike) > 0.9


def test_bar_along_one_side_is_no_frame():
    seven = np.full((40, 30), 255, np.uint8)
    seven[:4] = seven[:, 20:25] = 0
    inked = read_digit_images(seven).reshape(28, 28) > 128
    assert inked.any(axis=1).sum() >= 18
    assert inked.sum(axis=1).max() >= 12


@pytest.mark.slow
def test_small_digits_are_read_with_other_settings_where_the_network_is_unsure():
    from sklearn.datasets import load_digits

    from skdigits import load_pretrained

    digits = load_digits()
    pictures = [np.round(255 / 16 * image).astype(np.uint8) for image in digits.images[:200]]
    pictures = [Image.fromarray(p).resize((32, 32), Image.Resampling.BICUBIC) for p in pictures]
    predicted = load_pretrained().predict(read_digit_images(pictures))
    # 76 % with one setting.
    assert np.mean(predicted.astype(int) == digits.target[:200]) > 0.88
    tiny = [np.round(255 / 16 * image).astype(np.uint8) for image in digits.images[:200]]
    predicted = load_pretrained().predict(read_digit_images(tiny))
    assert np.mean(predicted.astype(int) == digits.target[:200]) > 0.92


def test_sure_readings_are_final(monkeypatch, pages, rows):
    def other(*args):
        raise AssertionError("read again")

    monkeypatch.setattr("skdigits._pictures.readings._surest", other)
    np.testing.assert_array_equal(read_digit_images(pages), rows)


def test_batches_give_the_same_rows_as_single_pictures():
    rng = np.random.default_rng(0)
    pictures = []
    for row in X[:70]:
        noisy = 255 - row.reshape(28, 28).astype(int) + rng.normal(0, 60, (28, 28))
        pictures.append(noisy.clip(0, 255).astype(np.uint8))
    together = read_digit_images(iter(pictures), errors="ignore")
    singly = np.concatenate([read_digit_images([p], errors="ignore") for p in pictures])
    np.testing.assert_array_equal(together, singly)
