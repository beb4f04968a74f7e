"""Fixtures that several test modules share."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from hypothesis import settings

# The same random cases in each run, and no folder .hypothesis.
settings.register_profile("repeatable", derandomize=True, database=None)
settings.load_profile("repeatable")


def copy_files(source, target):
    """Copy a folder's files into new folders, which can be written even if the old ones cannot."""
    for path in source.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


@pytest.fixture(scope="module", autouse=True)
def no_idle_workers():
    """End joblib's workers, each of which holds TensorFlow, after the module that started them."""
    yield
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    # Private, since the public function starts an executor where there is none.
    if loky is not None and loky._executor is not None:
        loky.get_reusable_executor().shutdown(wait=True)


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
    """Return a data_home for this session in which fetch_mnist needs no network."""
    home = tmp_path_factory.mktemp("mnist_home")
    copy_files(mnist_source / "openml", home / "openml")
    return home


@pytest.fixture
def no_network(monkeypatch):
    """Make every connection fail, and retries immediate."""

    def refuse(*args, **kwargs):
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    # A proxy from the environment is reached by address, without a look-up.
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
