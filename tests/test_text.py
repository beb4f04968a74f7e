import pytest

from skdigits._text import csv_cell, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("scan 1.png", "scan 1.png"),
        ("Übung, 数字 ५.png", "Übung, 数字 ५.png"),
        # macOS puts a narrow no-break space into the names of screenshots.
        ("Screenshot 3.04\u202fPM.png", "Screenshot 3.04\u202fPM.png"),
        ("C:\\scans\\7.png", "C:\\scans\\7.png"),
        ("it's.png", "it's.png"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\r\nb\tc\u2028d", r"a\r\nb\tc\u2028d"),
        ("gnp\u202egpj.exe", r"gnp\u202egpj.exe"),
        ("\udcff.png", r"\udcff.png"),
        (7, "7"),
    ],
)
def test_printable(text, expected):
    assert printable(text) == expected
    assert printable(expected) == expected


def test_printable_shortens_in_the_middle():
    assert printable("a" * 50 + "b" * 50, max_length=21) == "a" * 10 + "…" + "b" * 10
    assert printable("short", max_length=5) == "short"


@pytest.mark.parametrize("start", "=+-@＝")
def test_csv_cell_neutralises_formulas(start):
    assert csv_cell(f"{start}cmd|'/c calc'!A0") == f"'{start}cmd|'/c calc'!A0"
    assert csv_cell(f" {start}1+1") == f"' {start}1+1"


@pytest.mark.parametrize("value", ["-1", "+1.5", "-1e-05", "7", "a=b", "", -3])
def test_csv_cell_keeps_numbers_and_other_text(value):
    assert csv_cell(value) == str(value)
