"""File names and labels of unknown origin as text that is safe to show."""

from __future__ import annotations

import re
import unicodedata

# Control and format characters (terminal commands, text direction), line and paragraph
# separators, surrogates (bytes of a file name that are not UTF-8) and unassigned code points.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# With the full-width forms, which spreadsheets accept too.
_FORMULA_STARTS = tuple("=+-@＝＋－＠")


def printable(text: object, max_length: int | None = None) -> str:
    r"""Return text for terminals, messages, tables, HTML and figures: one line, no control codes.

    Parameters
    ----------
    text : object
        A file name, label or message; anything else is converted by `str`.
    max_length : int, default=None
        Longer texts are shortened in the middle.

    Returns
    -------
    str
        Characters that are not printable are replaced by Python's escape sequences. Text without
        such characters is returned unchanged. HTML needs `html.escape` as well.

    Examples
    --------
    >>> print(printable("a\x1b[2J\n.png"))
    a\x1b[2J\n.png
    >>> print(printable("x" * 100, max_length=11))
    xxxxx…xxxxx
    """
    text = str(text)
    if max_length is not None and len(text) > max_length:
        half = (max_length - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    if text.isprintable():
        return text
    return "".join(
        repr(char)[1:-1] if unicodedata.category(char) in _UNPRINTABLE else char for char in text
    )


def csv_cell(value: object) -> str:
    """Return the printable text of a CSV cell that no spreadsheet takes for a formula.

    Texts that begin with ``=``, ``+``, ``-`` or ``@`` and are not numbers get an apostrophe in
    front, as OWASP recommends [1]_.

    References
    ----------
    .. [1] OWASP, "CSV Injection", https://owasp.org/www-community/attacks/CSV_Injection.

    Examples
    --------
    >>> csv_cell("=HYPERLINK(1)"), csv_cell("-1"), csv_cell("scan.png")
    ("'=HYPERLINK(1)", '-1', 'scan.png')
    """
    text = printable(value)
    formula = text.lstrip().startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text)
    return f"'{text}" if formula else text
