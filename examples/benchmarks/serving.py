"""Latency and throughput of examples/serving on this machine, and what it does with bad uploads.

    pip install starlette uvicorn
    python examples/benchmarks/serving.py [digits.skdigits]

Starts the service on a free port of the loopback device and asks it as 1 and as 8 clients, each
over a connection of its own that is kept open. Clients and service share the machine's cores.
Without a model it trains one with the default parameters on the sample. Takes about two minutes.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import skdigits
from skdigits.datasets import load_mnist_sample
from skdigits.preprocessing import read_digit_images

SCRIPT = Path(__file__).parent.parent / "serving" / "serve.py"
PACKAGES = ("skdigits", "scikit-learn", "numpy", "starlette", "uvicorn")
SECONDS = 8.0

Address = tuple[str, int]


def trained(path: Path) -> None:
    from sklearn.pipeline import make_pipeline

    X, y = load_mnist_sample("train", return_X_y=True)
    ann = skdigits.DigitANNClassifier(random_state=0)
    skdigits.save(make_pipeline(skdigits.PixelScaler(), ann).fit(X, y), path)


@contextmanager
def service(model: Path) -> Iterator[Address]:
    command = [sys.executable, str(SCRIPT), str(model), "--port", "0"]
    start = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"running on http://([\d.]+):(\d+)", line):
                break
        else:
            raise SystemExit("The service did not start.")
        # Nobody reads what it prints later, and a full pipe would stop it.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        print(f"Started in {time.perf_counter() - start:.1f} s", flush=True)
        try:
            yield found[1], int(found[2])
        finally:
            process.terminate()


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


def pictures() -> dict[str, list[bytes]]:
    """PNGs of digits of the sample as they are, drawn large, and as photographs of paper."""
    rows = load_mnist_sample("test").data[:40]
    rng = np.random.default_rng(0)
    found: dict[str, list[bytes]] = {"MNIST's form, 28 × 28": [], "drawing, 300 × 300": []}
    photographs = found["photograph, 1200 × 1600"] = []
    for row in rows:
        digit = Image.fromarray(255 - row.reshape(28, 28))
        found["MNIST's form, 28 × 28"].append(png(Image.fromarray(row.reshape(28, 28))))
        found["drawing, 300 × 300"].append(png(digit.resize((300, 300))))
        paper = np.full((1600, 1200), 200.0)
        paper[500:1100, 300:900] *= np.asarray(digit.resize((600, 600))) / 255 * 0.8 + 0.2
        paper += np.linspace(-40, 20, 1200) + rng.normal(scale=4, size=paper.shape)
        photographs.append(png(Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))))
    return found


def post(connection: http.client.HTTPConnection, body: Any) -> tuple[int, Any]:
    connection.request("POST", "/predict", body)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def asked(address: Address, bodies: list[bytes], n_clients: int) -> tuple[list[float], float]:
    """Seconds of each request of all clients, and requests per second."""
    times: list[list[float]] = [[] for _ in range(n_clients)]
    begin = threading.Barrier(n_clients + 1)

    def client(own: list[float]) -> None:
        connection = http.client.HTTPConnection(*address)
        for body in bodies[:5]:
            post(connection, body)
        begin.wait()
        stop = time.perf_counter() + SECONDS
        while (start := time.perf_counter()) < stop:
            status, answer = post(connection, bodies[len(own) % len(bodies)])
            assert status == 200, answer
            own.append(time.perf_counter() - start)
        connection.close()

    threads = [threading.Thread(target=client, args=(own,)) for own in times]
    for thread in threads:
        thread.start()
    begin.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - start
    every = [seconds for own in times for seconds in own]
    return every, len(every) / took


def print_figures(address: Address, model: Any) -> None:
    head = f"{'picture':26}{'kB':>5}{'clients':>9}{'median ms':>11}{'p99 ms':>8}{'per second':>12}"
    print(f"\n{head}")
    for name, bodies in pictures().items():
        size = np.mean([len(body) for body in bodies]) / 1000

        def alone(bodies: list[bytes] = bodies) -> tuple[list[float], float]:
            times = []
            for body in bodies:
                start = time.perf_counter()
                model.predict_proba(read_digit_images(body))
                times.append(time.perf_counter() - start)
            return times, len(times) / sum(times)

        alone()
        lines = {"none": alone(), **{str(n): asked(address, bodies, n) for n in (1, 8)}}
        for clients, (times, rate) in lines.items():
            median, worst = np.percentile(times, [50, 99]) * 1000
            print(
                f"{name:26}{size:5.0f}{clients:>9}{median:11.1f}{worst:8.1f}{rate:12.0f}",
                flush=True,
            )
    print("clients none: the same work in this process, without a service")


def print_refusals(address: Address) -> None:
    def ask(body: Any, method: str = "POST", path: str = "/predict") -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*address, timeout=60)
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def slow() -> tuple[int, Any]:
        with socket.create_connection(address) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
            head, _, body = connection.recv(10_000).partition(b"\r\n\r\n")
            while not body:
                body = connection.recv(10_000)
            return int(head.split()[1]), json.loads(body)

    digit = pictures()["drawing, 300 × 300"][0]
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    made = {
        "empty body": b"",
        "text": b"seven",
        "half a PNG": digit[: len(digit) // 2],
        "blank PNG": png(Image.new("L", (300, 300), 255)),
        "noise": png(Image.fromarray(noise)),
        "PNG of 63 megapixels, blank": png(Image.new("L", (9000, 7000))),
        "PNG of 400 megapixels": png(Image.new("1", (20000, 20000))),
    }
    uploads: dict[str, Callable[[], tuple[int, Any]]] = {
        **{name: partial(ask, body) for name, body in made.items()},
        "20 MB": lambda: ask(b"x" * 20_000_000),
        "20 MB in chunks": lambda: ask(b"x" * 500_000 for _ in range(40)),
        "body that never ends": slow,
        "GET": lambda: ask(None, "GET"),
        "another path": lambda: ask(digit, path="/model"),
        "a good one after all that": lambda: ask(digit),
    }
    print(f"\n{'upload':29}{'status':>6}{'ms':>8}  answer")
    for name, upload in uploads.items():
        start = time.perf_counter()
        status, answer = upload()
        took = 1000 * (time.perf_counter() - start)
        text = answer.get("error") or f"label {answer['label']}"
        print(f"{name:29}{status:6}{took:8.0f}  {text}", flush=True)


def print_rush(address: Address) -> None:
    """What happens when many more clients come at once than can be served."""
    body = pictures()["photograph, 1200 × 1600"][0]
    counts: Counter[int] = Counter()

    def client() -> None:
        connection = http.client.HTTPConnection(*address, timeout=120)
        counts[post(connection, body)[0]] += 1

    threads = [threading.Thread(target=client) for _ in range(300)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - start
    told = ", ".join(f"{n} × {status}" for status, n in sorted(counts.items()))
    print(f"\n300 photographs at once: {told} in {took:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path, help="a file that skdigits.save wrote")
    path = parser.parse_args().model
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]},", end=" ")
    print(", ".join(f"{name} {version(name)}" for name in PACKAGES))
    with tempfile.TemporaryDirectory() as folder:
        if path is None:
            path = Path(folder, "digits.skdigits")
            trained(path)
        with service(path) as address:
            print_figures(address, skdigits.load(path))
            print_refusals(address)
            print_rush(address)


if __name__ == "__main__":
    main()
