"""The command line: exit status, one-line errors and Ctrl-C around the commands of `app`."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .app import app
from .errors import CommandError, one_line

# The exit status that shells give a process that Ctrl-C ended.
INTERRUPTED = 130


class Interrupted(BaseException):
    """Ctrl-C was pressed.

    Not a KeyboardInterrupt: `fit` stops training at that and keeps the result, and a search
    continues with the next candidate.
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line.

    Parameters
    ----------
    args : list of str, default=None
        Arguments without the program's name; None takes those of the process.

    Raises
    ------
    SystemExit
        With 0 after success; with 2 and one line on stderr if the arguments or the files that
        they name cannot be used, or the output cannot be written; with 130 after Ctrl-C.
    """
    _prepare_streams()
    with warnings.catch_warnings(), _interruptible():
        warnings.showwarning = _show_warning
        try:
            status = app(args, standalone_mode=False) or 0
            sys.stdout.flush()
        except Interrupted:
            status = _failed("Interrupted.", INTERRUPTED)
        except CommandError as error:
            status = _failed(f"Error: {one_line(error)}", 2)
        except BrokenPipeError:
            # As in skdigits … | head: the reader has what it wants.
            status = _failed("", 1)
        except OSError as error:
            status = _failed(f"Error: {one_line(error)}", 2)
        except Exception as error:
            # typer's own errors, whose class has been in different modules.
            if not hasattr(error, "format_message"):
                raise
            text = one_line(error.format_message()) + _suggestion(error)
            status = _failed(f"Error: {text}" if text else "", 2)
    if args is None and "tensorflow" in sys.modules and status == INTERRUPTED:
        _exit_now(status)
    if args is None and "tensorflow" not in sys.modules:
        # No garbage collection when the process ends. It takes 0.4 s of the 1.7 s of CPU time of
        # skdigits predict with one picture (median of 5 runs).
        gc.freeze()
    sys.exit(status)


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # A closed stream, as after skdigits … >&-
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            # Characters that the encoding does not have become question marks.
            stream.reconfigure(errors="replace")


def _exit_now(status: int) -> None:
    """End the process while threads of a search still train.

    An orderly end would remove the interpreter that they run in, and may crash.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _suggestion(error: Any) -> str:
    """For an unknown option with the name of a parameter, return how the parameter is set."""
    name = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    context = getattr(error, "ctx", None)
    if not name or context is None or context.info_name not in ("train", "tune"):
        return ""
    from skdigits import DigitANNClassifier

    from .parameters import settable

    known = name in settable(DigitANNClassifier())
    return f". Did you mean --set {name}=VALUE?" if known else ""


def _failed(line: str, status: int) -> int:
    with suppress(OSError):
        if line:
            print(line, file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        # Otherwise Python tries again when it ends, and prints a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise Interrupted."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"Warning: {one_line(message)}", file=sys.stderr)
