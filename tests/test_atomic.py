from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from skdigits._atomic import remove_leftovers, write_atomically

posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX file semantics")


def writer(content):
    return lambda file: file.write(content)


@pytest.mark.parametrize("as_path", [str, os.fspath, lambda path: path])
@pytest.mark.parametrize("before", [None, b"something longer that was there"])
def test_content_is_what_was_written(tmp_path, before, as_path):
    path = tmp_path / "file.bin"
    if before is not None:
        path.write_bytes(before)
    assert write_atomically(as_path(path), writer(b"new")) is None
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_atomically("file.bin", writer(b"new"))
    assert (tmp_path / "file.bin").read_bytes() == b"new"


def test_file_can_be_sought_and_told(tmp_path):
    def write(file):
        file.write(b"....data")
        file.seek(0)
        file.write(b"head")
        assert file.tell() == 4

    write_atomically(tmp_path / "file.bin", write)
    assert (tmp_path / "file.bin").read_bytes() == b"headdata"


def test_old_content_stays_while_writing(tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"

    write_atomically(path, write)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [None, b"old"])
def test_failure_leaves_everything_as_it_was(tmp_path, before, error):
    path = tmp_path / "file.bin"
    if before is not None:
        path.write_bytes(before)

    def write(file):
        file.write(b"half of the")
        raise error("interrupted")

    with pytest.raises(error, match="interrupted"):
        write_atomically(path, write)
    assert os.listdir(tmp_path) == ([] if before is None else ["file.bin"])
    if before is not None:
        assert path.read_bytes() == before


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_full_disk_leaves_everything_as_it_was(tmp_path, monkeypatch, function):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(path, writer(b"new"))
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file.bin"]


def test_content_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: calls.append(os.fstat(fd).st_size) or fsync(fd))
    monkeypatch.setattr(os, "replace", lambda *paths: calls.append("replace") or replace(*paths))
    write_atomically(tmp_path / "file.bin", writer(b"12345"))
    assert calls == [5, "replace"]


@posix_only
@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_permissions_of_an_earlier_file_stay(tmp_path, mode):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, writer(b"new"))
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix_only
def test_new_file_has_the_permissions_that_open_gives(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "atomic", writer(b""))
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@posix_only
@pytest.mark.parametrize("exists", [True, False])
def test_symbolic_link_stays_a_link(tmp_path, exists):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "file.bin", tmp_path / "link"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, writer(b"new"))
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path / "elsewhere") == ["file.bin"]


def test_folder_is_refused(tmp_path):
    with pytest.raises(OSError, match=r"Got path='.*', expected a regular file or a new name\."):
        write_atomically(tmp_path, writer(b"new"))


@posix_only
def test_device_is_refused():
    with pytest.raises(OSError, match="Got path='/dev/null', expected a regular file"):
        write_atomically("/dev/null", writer(b"new"))


def test_error_names_the_path_that_was_asked_for(tmp_path):
    path = tmp_path / "missing" / "file.bin"
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(path, writer(b"new"))
    assert caught.value.filename == str(path)


@posix_only
def test_errors_about_other_files_keep_their_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(tmp_path / "file.bin", lambda _: os.stat(tmp_path / "other"))
    assert caught.value.filename == str(tmp_path / "other")


KILLED = """
import os, signal, sys
from skdigits._atomic import write_atomically

def write(file):
    file.write(b"half of the")
    file.flush()
    print("written", flush=True)
    sys.stdin.read()

write_atomically(sys.argv[1], write)
"""


@posix_only
def test_next_write_removes_temporary_files_of_killed_processes_only(tmp_path):
    path = tmp_path / "file.bin"
    (tmp_path / ".other.tmp").touch()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", KILLED, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "written\n"
    killed, running = processes
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(os.listdir(tmp_path)) == 3
    write_atomically(path, writer(b"new"))
    assert len(os.listdir(tmp_path)) == 3
    running.communicate("")
    assert running.returncode == 0
    assert path.read_bytes() == b"half of the"
    assert sorted(os.listdir(tmp_path)) == [".other.tmp", "file.bin"]


@posix_only
def test_remove_leftovers_keeps_files_that_are_being_written(tmp_path):
    path = tmp_path / "file.bin"

    def write(file):
        file.write(b"new")
        remove_leftovers(path)

    write_atomically(path, write)
    assert path.read_bytes() == b"new"


@posix_only
def test_readers_never_see_a_part(tmp_path):
    path = tmp_path / "file.bin"
    contents = [bytes([i]) * size for i, size in enumerate([10, 300_000, 2_000, 100_000])]
    path.write_bytes(contents[0])
    writers_left = threading.Semaphore(0)

    def rewrite(content):
        for _ in range(25):
            write_atomically(path, writer(content))
        writers_left.release()

    threads = [threading.Thread(target=rewrite, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    seen = set()
    while any(thread.is_alive() for thread in threads):
        content = path.read_bytes()
        assert content in contents
        seen.add(content[0])
    for thread in threads:
        thread.join()
        assert writers_left.acquire(blocking=False)
    assert len(seen) > 1
    assert os.listdir(tmp_path) == ["file.bin"]
