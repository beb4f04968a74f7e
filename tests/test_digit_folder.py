"""Loading of own pictures from one folder per label."""

import os
import warnings

import numpy as np
import pytest
from PIL import Image

from skdigits import load_pretrained, read_digit_images
from skdigits.datasets import load_digit_folder, load_mnist_sample
from skdigits.preprocessing import UnreadableImageError


def save_drawing(row, path):
    """Save a digit as a drawing: black on white, five times as large."""
    image = Image.fromarray(255 - row.reshape(28, 28)).resize((140, 140), Image.Resampling.BICUBIC)
    image.save(path)


@pytest.fixture(scope="module")
def sample():
    return load_mnist_sample("test", return_X_y=True)


@pytest.fixture
def folder(sample, tmp_path):
    """Drawings of 20 digits of the sample, as PNG and JPEG files."""
    root = tmp_path / "own"
    for i, (row, label) in enumerate(zip(*(part[:20] for part in sample), strict=True)):
        (root / label).mkdir(parents=True, exist_ok=True)
        save_drawing(row, root / label / f"{i:02}.{'png' if i % 2 else 'jpg'}")
    return root


def test_drawings_of_the_sample(folder, sample):
    digits = load_digit_folder(folder)
    files = sorted(folder.rglob("*.*"))
    assert digits.filenames.tolist() == [str(file) for file in files]
    assert digits.target.tolist() == [file.parent.name for file in files]
    np.testing.assert_array_equal(digits.data, read_digit_images(files))
    assert (digits.data.dtype, digits.target.dtype) == (np.uint8, object)
    assert np.shares_memory(digits.images, digits.data)
    assert digits.unreadable == {}
    assert digits.categories == {"class": sorted(set(sample[1][:20]))}
    reference = load_mnist_sample()
    assert set(digits) - set(reference) == {"filenames", "unreadable"}
    assert digits.feature_names == reference.feature_names
    assert digits.target_names == reference.target_names
    assert np.mean(load_pretrained().predict(digits.data).astype(str) == digits.target) >= 0.9
    X, y = load_digit_folder(str(folder), return_X_y=True)
    np.testing.assert_array_equal(X, digits.data)
    np.testing.assert_array_equal(y, digits.target)


def test_mnist_images_are_unchanged(sample, tmp_path):
    X, y = (part[:50] for part in sample)
    for i, (row, label) in enumerate(zip(X, y, strict=True)):
        (tmp_path / label).mkdir(exist_ok=True)
        Image.fromarray(row.reshape(28, 28)).save(tmp_path / label / f"{i:02}.png")
    digits = load_digit_folder(tmp_path)
    order = np.argsort(y, kind="stable")
    np.testing.assert_array_equal(digits.data, X[order])
    np.testing.assert_array_equal(digits.target, y[order])


def test_labels_are_any_names(folder):
    (folder / "1").rename(folder / "eins ä")
    assert "eins ä" in load_digit_folder(folder).target


def test_unreadable_files_are_reported(folder):
    good = load_digit_folder(folder)
    Image.new("L", (50, 50), 255).save(folder / "1" / "blank.png")
    (folder / "1" / "notes.txt").write_text("no picture")
    (folder / "1" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / "1" / "deeper").mkdir()
    (folder / "labels.csv").write_text("path,label")
    (folder / "none").mkdir()
    (folder / "1" / ".DS_Store").write_text("")
    (folder / ".git").mkdir()
    with pytest.warns(UserWarning, match=r"6 files or folders were left out.*labels\.csv: not in"):
        digits = load_digit_folder(folder)
    np.testing.assert_array_equal(digits.data, good.data)
    reasons = {os.path.relpath(path, folder): why for path, why in digits.unreadable.items()}
    assert reasons.keys() == {
        *(f"1/{name}" for name in ("blank.png", "notes.txt", "broken.jpg", "deeper", ".DS_Store")),
        *("none", "labels.csv", ".git"),
    }
    assert reasons["1/.DS_Store"] == reasons[".git"] == "hidden"
    assert reasons["none"] == "empty folder"
    assert "no picture of a known format" in reasons["1/notes.txt"]
    assert reasons["1/deeper"] == "folder inside of a label's folder"
    assert all(reasons.values())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load_digit_folder(folder, errors="ignore").unreadable == digits.unreadable
    with pytest.raises(UnreadableImageError, match=r"labels\.csv: not in the folder of a label"):
        load_digit_folder(folder, errors="raise")


def test_hidden_files_alone_do_not_warn(folder):
    (folder / "1" / "._photo.jpg").write_bytes(b"")
    assert list(load_digit_folder(folder).unreadable.values()) == ["hidden"]


def test_picture_over_the_size_limit(folder, monkeypatch):
    from skdigits._pictures import decoding

    limit = next(name for name in vars(decoding) if name.endswith("_PIXELS"))
    monkeypatch.setattr(decoding, limit, 1000)
    with pytest.raises(ValueError, match="no readable picture"):
        load_digit_folder(folder, errors="ignore")


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links and named pipes")
def test_links_and_pipes_are_not_followed(folder, sample, tmp_path):
    good = load_digit_folder(folder)
    save_drawing(sample[0][0], tmp_path / "outside.png")
    links = {
        "0/outside.png": tmp_path / "outside.png",
        "0/up": folder,
        "0/circle.png": folder / "0" / "circle.png",
        "0/nowhere.png": folder / "missing.png",
        "loop": folder,
        "elsewhere": tmp_path,
    }
    (folder / "0").mkdir(exist_ok=True)
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "0" / "pipe.png")
    inside = folder / "0" / "inside.png"
    inside.symlink_to(next(folder.glob("*/*.jpg")))
    digits = load_digit_folder(folder, errors="ignore")
    assert {os.path.relpath(path, folder) for path in digits.unreadable} == {*links, "0/pipe.png"}
    assert set(digits.filenames) == {*good.filenames, str(inside)}


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_path_itself_is_a_link(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    digits = load_digit_folder(tmp_path / "link")
    np.testing.assert_array_equal(digits.data, load_digit_folder(folder).data)


def test_invalid_folders_raise(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Folder not found: .*missing"):
        load_digit_folder(tmp_path / "missing")
    with pytest.raises(NotADirectoryError, match=r"Got the file .*jpg, expected a folder"):
        load_digit_folder(next(folder.rglob("*.jpg")))
    with pytest.raises(
        ValueError, match=r"with [1-9] files and no folders, expected one folder per"
    ):
        load_digit_folder(next(folder.rglob("*.jpg")).parent)
    with pytest.raises(ValueError, match=r"Got errors='skip', expected one of"):
        load_digit_folder(folder, errors="skip")
    with (
        pytest.raises(ValueError, match=r"with the folders own and no .*own contains folders: try"),
        pytest.warns(UserWarning, match="left out"),
    ):
        load_digit_folder(tmp_path)
    empty = tmp_path / "empty"
    for label in range(12):
        (empty / str(label)).mkdir(parents=True)
    with (
        pytest.raises(ValueError, match=r"folders 0, 1, 10, .*, … and no .*empty.0: empty folder"),
        pytest.warns(UserWarning, match="12 files or folders"),
    ):
        load_digit_folder(empty)


def test_control_characters_are_escaped_in_messages(folder):
    (folder / "1" / "\x1b[2J.png").write_bytes(b"")
    with pytest.warns(UserWarning, match=r"The first is .*\\x1b\[2J\.png: ") as caught:
        load_digit_folder(folder)
    assert "\x1b" not in str(caught[0].message)
