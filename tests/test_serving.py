"""The service of examples/serving, started as a user starts it."""

import http.client
import io
import json
import re
import runpy
import select
import socket
import subprocess
import sys
import threading
import time
import tomllib
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

import skdigits
from skdigits import PixelScaler, load_pretrained
from skdigits.datasets import load_mnist_sample
from skdigits.preprocessing import read_digit_images

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")
Image = pytest.importorskip("PIL.Image")

SCRIPT = Path(__file__).parent.parent / "examples" / "serving" / "serve.py"
ROW = 3


@pytest.fixture(scope="module")
def sample():
    return load_mnist_sample("test", return_X_y=True)


@pytest.fixture(scope="module")
def model():
    return load_pretrained()


@pytest.fixture(scope="module")
def service(model, tmp_path_factory):
    """Address of the running service, and what it has printed so far."""
    path = tmp_path_factory.mktemp("service") / "digits.skdigits"
    skdigits.save(model, path)
    # Without TensorFlow: whatever imported it would fail.
    code = (
        "import runpy, sys\nfor name in ('tensorflow', 'keras'): sys.modules[name] = None\n"
        f"sys.argv = ['serve.py', {str(path)!r}, '--port', '0']\n"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, bufsize=1
    )
    printed = []
    for line in process.stderr:
        printed.append(line)
        if found := re.search(r"running on http://([\d.]+):(\d+)", line):
            break
    else:
        pytest.fail("".join(printed))
    reader = threading.Thread(target=lambda: printed.extend(process.stderr))
    reader.start()
    yield (found[1], int(found[2])), printed
    process.terminate()
    process.wait(timeout=20)
    reader.join()
    process.stderr.close()


def ask(service, body=None, *, method="POST", path="/predict", headers=None):
    """Status, answer and headers."""
    connection = http.client.HTTPConnection(*service[0], timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        assert response.getheader("Content-Type") == "application/json"
        return response.status, json.loads(response.read()), response
    finally:
        connection.close()


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def drawing(row):
    """A digit of the sample as somebody would draw it: large, dark on light."""
    digit = Image.fromarray(255 - row.reshape(28, 28)).resize((200, 200), Image.Resampling.BICUBIC)
    page = Image.new("L", (320, 260), 240)
    page.paste(digit, (60, 30))
    return np.asarray(page)


def test_digits_are_read(service, sample, model):
    for row in sample[0][:5]:
        for picture in (row.reshape(28, 28), drawing(row)):
            status, answer, _ = ask(service, png(picture))
            assert status == 200
            expected = model.predict_proba(read_digit_images(png(picture)))[0]
            assert list(answer["probabilities"]) == [str(label) for label in model.classes_]
            np.testing.assert_allclose(list(answer["probabilities"].values()), expected, atol=1e-6)
            assert answer["label"] == str(model.classes_[expected.argmax()])


def test_a_right_answer(service, sample):
    X, y = sample
    assert ask(service, png(X[ROW].reshape(28, 28)))[1]["label"] == y[ROW]


def test_other_formats_and_chunks(service, sample):
    digit = sample[0][ROW].reshape(28, 28)
    file = io.BytesIO()
    Image.fromarray(digit).save(file, "bmp")
    assert ask(service, file.getvalue())[1] == ask(service, png(digit))[1]
    content = png(digit)
    chunks = (content[i : i + 100] for i in range(0, len(content), 100))
    assert ask(service, chunks)[1] == ask(service, content)[1]


def test_many_at_once(service, sample):
    bodies = [png(drawing(row)) for row in sample[0][:24]]
    alone = [ask(service, body)[1] for body in bodies]
    found = [None] * len(bodies)

    def work(i):
        found[i] = ask(service, bodies[i])[1]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == alone


def test_health(service):
    assert ask(service, method="GET", path="/health")[:2] == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("body", "status", "match"),
    [
        (b"", 400, "Got an empty body, expected a picture"),
        (None, 400, "Got an empty body, expected a picture"),
        (b"seven", 422, "The body: holds no picture of a known format"),
        (bytes(range(256)) * 100, 422, "The body: holds no picture of a known format"),
        (b"%PDF-1.4\n", 422, "The body: "),
        (b"x" * 8_000_001, 413, "Got 8,000,001 bytes, expected at most 8,000,000"),
        ((b"x" * 500_000 for _ in range(40)), 413, "Got 20,000,000 bytes, expected at most"),
    ],
    ids=["empty", "none", "text", "junk", "pdf", "large", "large chunks"],
)
def test_bad_uploads(service, body, status, match):
    found, answer, _ = ask(service, body)
    assert found == status
    assert list(answer) == ["error"]
    assert re.search(match, answer["error"])


def test_bad_pictures(service, sample):
    content = png(drawing(sample[0][ROW]))
    noise = np.random.default_rng(0).integers(0, 256, (120, 120), np.uint8)
    for body, match in [
        (content[: len(content) // 2], "The body: .*(broken|truncated)"),
        (png(np.full((50, 50), 255, np.uint8)), "The body: holds no digit"),
        (png(noise), "The body: holds no digit"),
        (png(np.zeros((9000, 9000), np.uint8)), "The body: has 9000 × 9000 pixels, expected"),
    ]:
        status, answer, _ = ask(service, body)
        assert status == 422
        assert re.search(match, answer["error"]), answer


@pytest.mark.parametrize(
    ("method", "path", "status", "match"),
    [
        ("GET", "/predict", 405, "Got GET /predict, expected POST"),
        ("PUT", "/predict", 405, "Got PUT /predict, expected POST"),
        ("DELETE", "/predict", 405, "Got DELETE /predict, expected POST"),
        ("POST", "/health", 405, "Got POST /health, expected GET or HEAD"),
        ("GET", "/", 404, "Got the path /, expected /predict or /health"),
        ("POST", "/predict/../../etc", 404, "Got the path .*, expected /predict or /health"),
    ],
)
def test_wrong_methods_and_paths(service, method, path, status, match):
    found, answer, response = ask(service, method=method, path=path)
    assert found == status
    assert re.search(match, answer["error"])
    if status == 405:
        assert response.getheader("Allow")


def test_it_survives_clients_that_hang_up(service, sample):
    for part in (b"", b"x" * 10):
        with socket.create_connection(service[0]) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n")
            connection.sendall(part)
    assert ask(service, png(sample[0][ROW].reshape(28, 28)))[0] == 200


@contextmanager
def limited_service(monkeypatch, model, **limits):
    """The service in this process, with other limits."""
    module = runpy.run_path(str(SCRIPT))
    # Functions and methods look their limits up there.
    names = module["make_app"].__globals__
    for name, value in limits.items():
        assert name in names
        monkeypatch.setitem(names, name, value)
    config = uvicorn.Config(
        names["make_app"](model), http=names["LimitedProtocol"], log_level="warning"
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join()


def connect(address, sent):
    connection = socket.create_connection(address, timeout=30)
    connection.sendall(sent)
    return connection


def unfinished(address, size=10):
    """A connection that has sent all but one byte of a body."""
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {size + 1}\r\n\r\n"
    return connect(address, head.encode() + bytes(size))


def received(connection):
    """What the service sends until it closes the connection."""
    content = b""
    try:
        while chunk := connection.recv(1000):
            content += chunk
    except ConnectionResetError:
        pass
    return content


def test_incomplete_heads_are_closed(monkeypatch, model):
    with limited_service(monkeypatch, model, MAX_HEAD_SECONDS=0.3) as address:
        health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        for sent in (b"", b"POST /predict HTTP/1.1\r\nHost: x\r\nX-", health + b"GET /"):
            with connect(address, sent) as connection:
                answer = received(connection)
                assert answer.endswith(b'{"status":"ok"}') == sent.startswith(health)


def test_trickled_heads_are_closed(monkeypatch, model):
    def trickle(connection):
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.02)

    with (
        limited_service(monkeypatch, model, MAX_HEAD_SECONDS=0.3) as address,
        connect(address, b"GET /health HTTP/1.1\r\nX: ") as connection,
        pytest.raises(ConnectionError),
    ):
        trickle(connection)


def test_unfinished_bodies_are_answered_and_closed(monkeypatch, model):
    limits = {"MAX_BODY_SECONDS": 0.5, "MAX_HEAD_SECONDS": 0.2}
    with (
        limited_service(monkeypatch, model, **limits) as address,
        unfinished(address) as connection,
    ):
        answer = received(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"Got 10 bytes in 0.5 seconds, expected the whole picture." in answer


def test_memory_of_all_bodies_is_limited(monkeypatch, model, sample):
    body = png(sample[0][ROW].reshape(28, 28))
    with (
        limited_service(monkeypatch, model, MAX_BYTES_HELD=2_500_000) as address,
        ExitStack() as stack,
    ):
        held = [stack.enter_context(unfinished(address, 1_000_000)) for _ in range(3)]
        [refused], _, _ = select.select(held, [], [], 30)
        assert refused.recv(1000).startswith(b"HTTP/1.1 503")
        held.remove(refused)
        # Small pictures are read all the same.
        assert ask((address,), body)[0] == 200
        assert select.select(held, [], [], 0)[0] == []
        # One more byte finishes a body, which is no picture. Its memory is free again.
        held[0].sendall(b"x")
        assert held[0].recv(1000).startswith(b"HTTP/1.1 422")
        with unfinished(address, 1_000_000) as connection:
            connection.sendall(b"x")
            assert connection.recv(1000).startswith(b"HTTP/1.1 422")


def test_number_of_connections_is_limited(monkeypatch, model):
    with limited_service(monkeypatch, model, MAX_CONNECTIONS=3) as address:
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(unfinished(address))
            with pytest.raises(ConnectionError):
                ask((address,), method="GET", path="/health")
        for _ in range(100):
            with suppress(ConnectionError):
                assert ask((address,), method="GET", path="/health")[0] == 200
                return
            time.sleep(0.05)
        pytest.fail("no connection after the others were closed")


def test_nothing_has_gone_wrong_in_the_log(service):
    assert not re.search("Traceback|ERROR", "".join(service[1]))


def start(monkeypatch, *arguments):
    """Run the script, with a server that ends at once; return the application."""
    served = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: served.append(app))
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return served[0]


def test_the_packaged_network_is_the_default(monkeypatch):
    assert start(monkeypatch).routes


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "No such file"),
        (b"junk", "expected one that skdigits.save wrote"),
        ("scaler", "Got another model in .*, expected a classifier of 784 pixels"),
    ],
)
def test_it_does_not_start_without_a_model(monkeypatch, capsys, tmp_path, content, match):
    path = tmp_path / "digits.skdigits"
    if content == "scaler":
        skdigits.save(PixelScaler().fit(np.zeros((1, 784))), path)
    elif content:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        start(monkeypatch, path)
    assert ended.value.code == 2
    assert re.search(match, capsys.readouterr().err.splitlines()[-1])


def test_requirements_are_those_of_the_package_without_training():
    root = SCRIPT.parent.parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    training = ("keras", "pandas", "scikeras", "tensorflow")
    expected = {line for line in project["dependencies"] if not line.startswith(training)}
    lines = (SCRIPT.parent / "requirements.txt").read_text("utf-8").splitlines()
    found = {line for line in lines if line and not line.startswith("#")}
    assert found == expected | set(project["optional-dependencies"]["demo"])
