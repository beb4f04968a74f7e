"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import shutil
import socket
import time
import urllib.request
from pathlib import Path

import pytest


def copy_files(source, target):
    """Copy a folder's files into new folders, which can be written even if the old ones cannot."""
    for path in source.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


@pytest.fixture(scope="session")
def mnist_source():
    """Return the folder SCIKIT_LEARN_DATA, which holds MNIST; nothing may be written there."""
    folder = os.environ.get("SCIKIT_LEARN_DATA")
    if not folder:
        pytest.skip("SCIKIT_LEARN_DATA is not set")
    if not any(Path(folder, "openml").rglob("mnist_784*.gz")):
        pytest.skip("SCIKIT_LEARN_DATA holds no download of mnist_784")
    return Path(folder)


@pytest.fixture(scope="session")
def mnist_home(mnist_source, tmp_path_factory):
    """Return a data_home of its own for this session, in which fetch_mnist needs no network."""
    home = tmp_path_factory.mktemp("mnist_home")
    copy_files(mnist_source / "openml", home / "openml")
    return home


@pytest.fixture
def no_network(monkeypatch):
    """Cut the network, whether the machine has one or not, and wait for no retry."""

    def refuse(*args, **kwargs):
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    # A proxy from the environment would be asked by address, without any look-up.
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
