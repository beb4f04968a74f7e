"""The drawing page: its server over HTTP, the command, and the page in a real browser."""

import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import STROKES, chromium
from PIL import Image

from skdigits import load_pretrained
from skdigits._cli import main
from skdigits._demo import serving
from skdigits._demo.serving import PortError, address_of, listen
from skdigits.datasets import load_mnist_sample
from skdigits.preprocessing import read_digit_images, read_number

uvicorn = pytest.importorskip("uvicorn", reason="the extra demo is not installed")
pytest.importorskip("starlette", reason="the extra demo is not installed")

from skdigits._demo import page  # noqa: E402

# Seconds. Busy machines are slow.
PATIENCE = 180

STATIC = Path(page.__file__).parent / "static"


@pytest.fixture(scope="module")
def model():
    return load_pretrained()


@pytest.fixture(scope="module")
def sample():
    return load_mnist_sample("test", return_X_y=True)


def png(image):
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


def on_paper(row, background=(240, 236, 225)):
    """A digit of the sample as on a photograph: large, dark on paper."""
    ink = Image.fromarray(row.reshape(28, 28)).resize((280, 280), Image.Resampling.BICUBIC)
    paper = Image.new("RGB", (420, 360), background)
    paper.paste((30, 40, 60), (70, 40), ink)
    return paper


class Client:
    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read(), response.headers
        finally:
            connection.close()

    def read(self, body, headers=None):
        headers = {"Content-Type": "image/png"} | (headers or {})
        status, answer, _ = self.ask("POST", "/read", body, headers)
        return status, json.loads(answer) if answer.startswith(b"{") else answer.decode()

    def unfinished(self):
        """A connection that has sent the head of an upload."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        connection.sendall(
            b"POST /read HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            b"Content-Length: 99\r\n\r\nx"
        )
        return connection


@contextmanager
def served(model):
    """A client of the page, served from a thread."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(page.make_app(model), log_level="warning"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield Client(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def client(model):
    with served(model) as client:
        yield client


def labels_in(answer):
    return "".join(digit["label"] for digit in answer["digits"])


# Reading


def test_read_a_digit(client, model, sample):
    for row in sample[0][:5]:
        picture = on_paper(row)
        expected = read_digit_images(picture)
        status, answer = client.read(png(picture))
        assert status == 200
        [digit] = answer["digits"]
        assert digit["label"] == str(model.predict(expected)[0])
        assert digit["pixels"] == expected[0].tolist()
        np.testing.assert_allclose(digit["probabilities"], model.predict_proba(expected)[0])


def test_read_a_number(client, model, sample):
    picture = Image.fromarray(255 - np.hstack(sample[0][:4].reshape(-1, 28, 28))).resize((448, 112))
    status, answer = client.read(png(picture))
    expected = read_number(picture, model)
    assert status == 200
    assert labels_in(answer) == expected.text == "".join(sample[1][:4])
    assert [digit["pixels"] for digit in answer["digits"]] == expected.rows.tolist()


def test_read_transparent_drawing(client, sample):
    ink = Image.fromarray(sample[0][3].reshape(28, 28)).resize((280, 280))
    drawing = Image.new("RGBA", (420, 360), (0, 0, 0, 0))
    drawing.paste((0, 0, 0, 255), (70, 40), ink)
    assert labels_in(client.read(png(drawing))[1]) == sample[1][3]


def test_read_many_at_once(client, sample):
    pictures = [png(on_paper(row)) for row in sample[0][:12]]
    expected = [client.read(picture) for picture in pictures]
    found = [None] * len(pictures)

    def work(i):
        found[i] = client.read(pictures[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (png(Image.new("L", (100, 100), 255)), "This holds no digit: "),
        (b"seven", "This holds no picture of a known format"),
        (b'{"image": [1, {"a": null}]}', "This holds no picture of a known format"),
        (b"http://collector.example/digit.png", "This holds no picture of a known format"),
        (b"/etc/passwd", "This holds no picture of a known format"),
        (png(Image.new("L", (9000, 9000))), "This has 9000 × 9000 pixels, expected"),
    ],
    ids=["blank", "text", "JSON", "address", "path", "huge"],
)
def test_unreadable_pictures(client, content, message):
    status, answer = client.read(content)
    assert status == 200
    assert list(answer) == ["error"]
    assert answer["error"].startswith(message)


def test_labels(client):
    status, answer, _ = client.ask("GET", "/labels")
    assert (status, json.loads(answer)) == (200, [str(label) for label in range(10)])


# What is served


def test_own_files_are_served(client):
    for path in ("index.html", "page.css", "page.js", "drawing.js"):
        status, content, headers = client.ask("GET", f"/{path}")
        assert status == 200
        assert content == (STATIC / path).read_bytes()
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        assert "unsafe" not in headers["Content-Security-Policy"]
    assert client.ask("GET", "/")[1] == (STATIC / "index.html").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/../page.py",
        "/%2e%2e/page.py",
        "/..%2fpage.py",
        "/..%5cpage.py",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/page.js/../../page.py",
        "/static/page.js",
        "/reading.py",
        "/file=http://collector.example/secret",
        "/http://collector.example/",
        "/gradio_api/file=http://collector.example/secret",
    ],
)
def test_nothing_else_is_served(client, path, monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args) or [])
    connection = socket.socket()
    connection.connect(("127.0.0.1", client.port))
    with connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 405"))
    assert b"content-security-policy: default-src 'none'" in answer
    assert not asked


def test_the_page_names_no_other_host():
    for path in STATIC.iterdir():
        assert not re.search(r"(https?:)?//[\w.-]+\.\w", path.read_text("utf-8")), path


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example",
     "evil.example@localhost:x", "2130706433.example", "[::1", ""],
)  # fmt: skip
def test_other_hosts_are_refused(client, host, sample):
    """A page of evil.example whose name resolves to 127.0.0.1 (DNS rebinding)."""
    for method, path in [("GET", "/"), ("GET", "/labels"), ("POST", "/read")]:
        body = png(on_paper(sample[0][3])) if method == "POST" else None
        status, answer, _ = client.ask(method, path, body, {"Host": host})
        assert status == 400
        assert b"Got another computer's name as Host" in answer


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9000", "127.0.0.1:7860", "[::1]:7860", "192.168.0.7:7860"]
)
def test_own_hosts_are_accepted(client, host):
    assert client.ask("GET", "/", headers={"Host": host})[0] == 200


def test_requests_of_other_sites_are_refused(client, sample):
    body = png(on_paper(sample[0][3]))
    for origin in ("https://evil.example", "null", f"http://localhost:{client.port + 1}", ""):
        headers = {"Host": f"localhost:{client.port}", "Origin": origin}
        assert client.read(body, headers) == (403, "Got a request from another site's page.")
    headers["Origin"] = f"http://localhost:{client.port}"
    assert client.read(body, headers)[0] == 200


@pytest.mark.parametrize(
    "kind",
    ["application/json", "text/plain", "multipart/form-data; boundary=x",
     "application/x-www-form-urlencoded", ""],
)  # fmt: skip
@pytest.mark.parametrize("body", [b"{", b"[]", b'{"image": "http://x"}', b"null", b"[" * 100_000])
def test_bodies_that_are_not_pictures(client, kind, body):
    status, answer = client.read(body, {"Content-Type": kind})
    assert status == 400
    assert answer["error"].startswith(f"Got the content type {kind!r:.60}, expected a picture's")


def test_other_methods_are_refused(client):
    assert client.ask("GET", "/read")[0] == 404
    assert client.ask("DELETE", "/page.js")[0] == 405


# Limits


def test_large_uploads_are_refused(client):
    for body in (b"x" * (page.MAX_BYTES + 1), (b"x" * 1_000_000 for _ in range(21))):
        status, answer = client.read(body)
        assert status == 413
        assert re.fullmatch(r"Got 2\d,000,00\d bytes, expected .* 20,000,000\.", answer["error"])
    assert client.read(b"")[0] == 400
    assert client.read(b"x" * page.MAX_BYTES)[0] == 200


def test_slow_uploads_are_refused(client, monkeypatch):
    monkeypatch.setattr(page, "MAX_SECONDS", 0.3)
    with client.unfinished() as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_number_of_uploads_is_limited(model, monkeypatch, sample):
    monkeypatch.setattr(page, "MAX_UPLOADS", 2)
    picture = png(on_paper(sample[0][3]))
    with served(model) as client:
        with client.unfinished(), client.unfinished():
            wait_until(lambda: client.read(picture)[0] == 503)
            assert client.ask("GET", "/")[0] == 200
        wait_until(lambda: client.read(picture)[0] == 200)


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_interrupted_uploads_are_no_errors(client, caplog):
    client.unfinished().close()
    assert client.ask("GET", "/")[0] == 200
    assert not caplog.records


# Ports


def test_the_first_free_port_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        busy = other.getsockname()[1]
        monkeypatch.setattr(serving, "PORTS", range(busy, busy + 1))
        with listen("127.0.0.1", None) as listener:
            host, port = listener.getsockname()
            assert host == "127.0.0.1"
            assert port not in (0, busy)


def test_busy_port():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        match = f"Got --host 127.0.0.1 --port {port}, expected a free port, or 0 for any"
        with pytest.raises(PortError, match=match):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a" * 300])
def test_hosts_of_other_computers(host):
    match = f"Got --host {host} --port 0, expected an address of this computer"
    with pytest.raises(PortError, match=match):
        listen(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_the_address_can_be_opened(host):
    with listen(host, 0) as listener:
        address = urlsplit(address_of(listener))
        with socket.create_connection((address.hostname, address.port), timeout=10):
            pass


# The command

# Runs before the command and reports each connection to another computer.
WATCH = textwrap.dedent("""
    import ipaddress, sys

    def is_local(host):
        host = host.decode() if isinstance(host, bytes) else host
        try:
            return host in (None, "", "localhost") or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def watch(event, args):
        if event == "socket.connect" and isinstance(args[1], tuple) and not is_local(args[1][0]):
            print("OUTSIDE", args[1], file=sys.stderr, flush=True)
        if event in ("socket.getaddrinfo", "socket.gethostbyname") and not is_local(args[0]):
            print("OUTSIDE", args[0], file=sys.stderr, flush=True)

    sys.addaudithook(watch)
""")


def command(*arguments):
    code = f"{WATCH}\nfrom skdigits._cli import main\nmain({['draw', '--no-browser', *arguments]})"
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SystemExit) as ended:
        main(["draw", "--no-browser"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: The drawing page needs Starlette and uvicorn. Install them")
    assert "pip install 'skdigits[demo]'" in error
    assert len(error.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
def test_command(sample):
    """It starts, reads a picture, and ends with Ctrl-C without asking other computers."""
    with command("--port", "0") as process:
        try:
            port = int(
                re.search(r"^Draw at http://127\.0\.0\.1:(\d+)", process.stdout.readline())[1]
            )
            client = Client(port)
            assert client.ask("GET", "/")[0] == 200
            assert labels_in(client.read(png(on_paper(sample[0][3])))[1]) == sample[1][3]
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 130
        finally:
            process.kill()
        assert process.stdout.read() in ("", "Interrupted.\n")


# In a browser

WIDTHS = {"phone": (390, 844), "desktop": (960, 700)}


@pytest.fixture(scope="module")
def browser(sample, tmp_path_factory):
    """Chromium, with a camera that sees a digit of the sample."""
    video = tmp_path_factory.mktemp("video") / "digit.mjpeg"
    on_paper(sample[0][3]).save(video, "jpeg", quality=95)
    options = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    ]
    with chromium(*options) as browser:
        yield browser


@pytest.fixture
def open_page(client, browser):
    """Open the page. It must not request anything from other hosts, nor log errors."""
    contexts, requested, errors = [], set(), []

    def open_page(screen="desktop", theme="light", port=client.port):
        width, height = WIDTHS[screen]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme
        )
        context.grant_permissions(["clipboard-read", "clipboard-write", "camera"])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: requested.add(urlsplit(request.url)))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(f"http://127.0.0.1:{port}")
        wait_for_message(page, "Draw a digit or a number.")
        return page

    open_page.errors = errors
    yield open_page
    for context in contexts:
        context.close()
    assert {url.hostname for url in requested if url.scheme not in ("data", "blob")} == {
        "127.0.0.1"
    }
    assert not errors


def draw(page, strokes, lift=True):
    box = page.locator("#pad canvas").bounding_box()
    for stroke in strokes:
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=6)
        if lift:
            page.mouse.up()


def wait_for_digits(page, digits):
    page.wait_for_function(
        "text => document.querySelector('#answer .digits').innerText === text", arg=str(digits)
    )


def wait_for_message(page, text):
    page.wait_for_function(
        "text => document.querySelector('#answer .message').innerText.includes(text)", arg=text
    )


def choose(page, content, name="digit.png"):
    page.locator("#file").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": content}
    )


@pytest.mark.slow
@pytest.mark.parametrize("screen", WIDTHS)
def test_browser_draws_digits(open_page, screen):
    page = open_page(screen)
    for digit in (7, *STROKES):
        draw(page, STROKES[digit])
        wait_for_digits(page, digit)
        assert page.locator("#answer .best .name").inner_text() == str(digit)
        page.get_by_role("button", name="Clear").click()
        wait_for_message(page, "Draw a digit or a number.")
        wait_for_digits(page, "")


@pytest.mark.slow
def test_browser_answers_during_a_stroke(open_page):
    page = open_page()
    draw(page, STROKES[7], lift=False)
    wait_for_digits(page, 7)
    page.mouse.up()
    assert page.locator("#answer .seen canvas").evaluate("canvas => canvas.width") == 28


@pytest.mark.slow
@pytest.mark.parametrize("screen", WIDTHS)
def test_browser_reads_a_number(open_page, screen):
    page = open_page(screen)
    for place, digit in enumerate((3, 0, 7)):
        strokes = [
            [(0.32 * place + 0.55 * (x - 0.3) + 0.07, 0.25 + y / 2) for x, y in stroke]
            for stroke in STROKES[digit]
        ]
        draw(page, strokes)
    wait_for_digits(page, "307")
    assert page.locator("#answer .seen canvas").count() == 3
    for place, digit in enumerate("307"):
        page.locator("#answer .seen canvas").nth(place).click()
        assert page.locator("#answer .best .name").inner_text() == digit
        wait_for_message(page, f"Digit {place + 1} of 3: {digit}, ")


@pytest.mark.slow
def test_browser_undoes_strokes(open_page):
    page = open_page()
    undo = page.get_by_role("button", name="Undo")
    assert undo.is_disabled()
    draw(page, STROKES[1])
    wait_for_digits(page, 1)
    draw(page, STROKES[0])
    undo.click()
    wait_for_digits(page, 1)
    page.keyboard.press("Control+z")
    wait_for_message(page, "Draw a digit")
    draw(page, STROKES[3])
    wait_for_digits(page, 3)
    page.keyboard.press("Delete")
    wait_for_message(page, "Draw a digit")
    assert undo.is_disabled()


@pytest.mark.slow
@pytest.mark.parametrize("screen", WIDTHS)
def test_browser_uploads_pictures(open_page, screen, sample):
    page = open_page(screen)
    draw(page, STROKES[7])
    wait_for_digits(page, 7)
    for i in (0, 3):
        choose(page, png(on_paper(sample[0][i])))
        wait_for_digits(page, sample[1][i])
    page.get_by_role("button", name="Undo").click()
    wait_for_digits(page, 7)
    choose(page, png(on_paper(sample[0][3])))
    wait_for_digits(page, sample[1][3])
    draw(page, STROKES[7])
    wait_for_digits(page, 7)


@pytest.mark.slow
def test_browser_shows_bad_uploads(open_page, sample):
    page = open_page()
    for content, message in [
        (png(on_paper(sample[0][3]))[:200], "This is broken"),
        (b"seven", "This holds no picture of a known format"),
        (png(Image.new("RGB", (200, 200), "white")), "This holds no digit"),
    ]:
        choose(page, content)
        wait_for_message(page, message)
        wait_for_digits(page, "")
    choose(page, b"x" * 20_000_001)
    wait_for_message(page, "Got 20,000,001 bytes, expected a picture of at most 20,000,000.")
    # Chromium logs every status of 400 and above.
    assert ["413" in error for error in open_page.errors] == [True]
    open_page.errors.clear()


@pytest.mark.slow
def test_browser_pastes_pictures(open_page, sample):
    page = open_page()
    content = list(png(on_paper(sample[0][3])))
    page.evaluate(
        """content => {
          const clipboardData = new DataTransfer();
          const file = new File([new Uint8Array(content)], "a.png", {type: "image/png"});
          clipboardData.items.add(file);
          document.dispatchEvent(new ClipboardEvent("paste", {clipboardData}));
        }""",
        content,
    )
    wait_for_digits(page, sample[1][3])
    page.get_by_role("button", name="Clear").click()
    page.evaluate(
        """async content => navigator.clipboard.write([new ClipboardItem(
          {"image/png": new Blob([new Uint8Array(content)], {type: "image/png"})})])""",
        content,
    )
    page.get_by_role("button", name="Paste").click()
    wait_for_digits(page, sample[1][3])
    page.evaluate("navigator.clipboard.writeText('seven')")
    page.get_by_role("button", name="Paste").click()
    wait_for_message(page, "The clipboard holds no picture")


@pytest.mark.slow
def test_browser_takes_pictures(open_page, sample):
    page = open_page("phone")
    page.get_by_role("button", name="Camera").click()
    wait_for_message(page, "Point the camera at a digit")
    assert page.locator("video").is_visible()
    page.get_by_role("button", name="Take it").click()
    wait_for_digits(page, sample[1][3])
    assert not page.locator("video").is_visible()
    page.get_by_role("button", name="Camera").click()
    wait_for_message(page, "Point the camera at a digit")
    page.get_by_role("button", name="Clear").click()
    wait_for_message(page, "Draw a digit")
    assert not page.locator("video").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", WIDTHS)
def test_browser_layout(open_page, screen, theme):
    """Everything is visible without scrolling, readable, and stays where it is."""
    page = open_page(screen, theme)
    bars = (
        "[...document.querySelectorAll('#answer li')].map(e => e.getBoundingClientRect().toJSON())"
    )
    before = page.evaluate(bars)
    assert len(before) == 10
    choose(page, b"seven", "a" * 100)
    wait_for_message(page, "This holds no picture")
    assert page.evaluate(bars) == before
    page.get_by_role("button", name="Clear").click()
    draw(page, STROKES[7])
    wait_for_digits(page, 7)
    assert page.evaluate(bars) == before
    width, height = WIDTHS[screen]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert max(bar["bottom"] for bar in before) <= height
    for selector in ("h1", "header p", ".digits", ".message", "figcaption", ".value", ".name"):
        assert contrast(page, selector) >= 4.5, selector


@pytest.mark.slow
def test_browser_shows_labels_as_text(open_page, sample):
    class Model:
        classes_ = np.array(["<i>0</i>", "1"])

        def predict_proba(self, X):
            return np.array([[0.45, 0.40]])

    with served(Model()) as client:
        page = open_page(port=client.port)
        draw(page, STROKES[0])
        wait_for_digits(page, "<i>0</i>")
        wait_for_message(page, "45.0 %, not sure")
        assert page.locator("i").count() == 0


def contrast(page, selector):
    """Contrast of a text to the page, as WCAG has it."""
    colours = page.locator(selector).first.evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
    )
    values = np.array([re.findall(r"[\d.]+", colour)[:3] for colour in colours], float) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)
