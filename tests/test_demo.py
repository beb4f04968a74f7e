"""The drawing page, from its pure functions to a real browser in front of the real command."""

import base64
import http.client
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from skdigits import load_pretrained
from skdigits._demo import serving
from skdigits._demo.reading import PREFIX, Reader, drawing_content, percent
from skdigits._demo.serving import PortError, address_of, listening
from skdigits.datasets import load_mnist_sample
from skdigits.preprocessing import read_digit_images

# Machines that do much else at the same time are slow.
PATIENCE = 180

MOST_BYTES = 20 * 1024**2

# Strokes through points, as shares of the paper's side.
STROKES = {
    0: [[(0.5, 0.15), (0.35, 0.3), (0.32, 0.5), (0.37, 0.75), (0.5, 0.85), (0.64, 0.72),
         (0.68, 0.5), (0.64, 0.27), (0.5, 0.15)]],
    1: [[(0.5, 0.15), (0.5, 0.85)]],
    2: [[(0.33, 0.3), (0.42, 0.17), (0.57, 0.17), (0.66, 0.3), (0.6, 0.48), (0.45, 0.66),
         (0.32, 0.83), (0.7, 0.83)]],
    3: [[(0.34, 0.2), (0.5, 0.14), (0.64, 0.22), (0.64, 0.38), (0.48, 0.47), (0.65, 0.57),
         (0.68, 0.73), (0.52, 0.86), (0.33, 0.8)]],
    4: [[(0.42, 0.15), (0.3, 0.55), (0.7, 0.55)], [(0.6, 0.3), (0.58, 0.88)]],
    5: [[(0.66, 0.16), (0.4, 0.16), (0.37, 0.45), (0.55, 0.43), (0.66, 0.57), (0.63, 0.76),
         (0.48, 0.86), (0.32, 0.79)]],
    6: [[(0.6, 0.14), (0.44, 0.32), (0.36, 0.55), (0.4, 0.78), (0.53, 0.86), (0.65, 0.75),
         (0.63, 0.59), (0.5, 0.54), (0.38, 0.64)]],
    7: [[(0.3, 0.2), (0.7, 0.2), (0.45, 0.85)]],
    8: [[(0.62, 0.24), (0.5, 0.15), (0.38, 0.25), (0.43, 0.4), (0.6, 0.57), (0.64, 0.73),
         (0.5, 0.86), (0.36, 0.74), (0.41, 0.57), (0.58, 0.4), (0.62, 0.24)]],
    9: [[(0.64, 0.3), (0.52, 0.16), (0.38, 0.23), (0.38, 0.4), (0.5, 0.48), (0.62, 0.38),
         (0.64, 0.3), (0.6, 0.86)]],
}  # fmt: skip

# Runs before the real command; nothing of it may ask for another computer.
WATCHMAN = textwrap.dedent("""
    import ipaddress, sys

    def is_here(host):
        host = host.decode() if isinstance(host, bytes) else host
        try:
            return host in (None, "", "localhost") or ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    def watch(event, args):
        if event == "socket.connect" and isinstance(args[1], tuple) and not is_here(args[1][0]):
            print("OUTSIDE", args[1], file=sys.stderr, flush=True)
        if event in ("socket.getaddrinfo", "socket.gethostbyname") and not is_here(args[0]):
            print("OUTSIDE", args[0], file=sys.stderr, flush=True)

    sys.addaudithook(watch)
""")


@pytest.fixture(scope="module")
def model():
    return load_pretrained()


@pytest.fixture(scope="module")
def reader(model):
    return Reader(model)


@pytest.fixture(scope="module")
def sample():
    return load_mnist_sample("test", return_X_y=True)


def png(image):
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


def data_url(image):
    return PREFIX + base64.b64encode(png(image)).decode()


def on_paper(row, background=(240, 236, 225)):
    """A digit of the sample as somebody would write it: large, dark on paper."""
    ink = Image.fromarray(row.reshape(28, 28)).resize((280, 280), Image.Resampling.BICUBIC)
    page = Image.new("RGB", (420, 360), background)
    page.paste((30, 40, 60), (70, 40), ink)
    return page


def digit_in(html):
    found = re.findall(r'<p class="digit">(.*?)</p>', html)
    assert len(found) <= 1
    return found[0] if found else None


def message_in(html):
    return re.search(r'<p class="message">(.*?)</p>', html)[1]


# What is shown


def test_a_drawing_is_read_through_the_public_functions(reader, model, sample):
    for row in sample[0][:5]:
        page = on_paper(row, (255, 255, 255))
        html = reader.drawing(data_url(page))
        expected = model.predict_proba(read_digit_images(page))[0]
        assert digit_in(html) == str(model.classes_[expected.argmax()])
        widths = [float(width) for width in re.findall(r"width:([\d.]+)%", html)]
        np.testing.assert_allclose(widths, 100 * expected, atol=0.0051)
        names = re.findall(r'<span class="name">(.*?)</span>', html)
        assert names == [str(label) for label in range(10)]


def test_the_picture_is_what_the_network_sees(reader, sample):
    page = on_paper(sample[0][3])
    source = re.search(r'src="data:image/png;base64,([^"]+)"', reader.drawing(data_url(page)))[1]
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))
    np.testing.assert_array_equal(shown.reshape(1, 784), read_digit_images(page))


def test_transparent_drawings_are_read(reader, sample):
    row, label = sample[0][3], sample[1][3]
    ink = Image.fromarray(row.reshape(28, 28)).resize((280, 280))
    page = Image.new("RGBA", (420, 360), (0, 0, 0, 0))
    page.paste((0, 0, 0, 255), (70, 40), ink)
    assert digit_in(reader.drawing(data_url(page))) == label


@pytest.mark.parametrize("drawing", ["", None])
def test_empty_paper_is_no_error(reader, drawing):
    html = reader.drawing(drawing)
    assert message_in(html) == "Draw a digit."
    assert digit_in(html) is None
    assert html.count("<li") == 10


def test_no_upload_is_no_error(reader):
    assert message_in(reader.upload(None)) == "Upload a picture of a digit."


@pytest.mark.parametrize(
    "drawing",
    ["seven", "data:image/png;base64,???", "data:text/html;base64,PGI+", "<script>alert(1)"],
)
def test_other_strings_are_no_drawings(reader, drawing):
    with pytest.raises(ValueError, match="expected a drawing as data:image/png;base64,"):
        drawing_content(drawing)
    assert "<script>" not in reader.drawing(drawing)


def test_what_cannot_be_read_is_said_plainly(reader, tmp_path):
    blank = data_url(Image.new("L", (100, 100), 255))
    assert "The drawing: holds no digit" in message_in(reader.drawing(blank))
    path = tmp_path / "upload"
    path.write_bytes(b"seven")
    for name, shown in [
        ("note.txt", "note.txt: holds no picture of a known format."),
        ("<b>.png", "&lt;b&gt;.png: holds no picture of a known format."),
        ("../../x.png", "x.png: holds no picture of a known format."),
        (None, "The file: holds no picture of a known format."),
    ]:
        html = reader.upload({"path": str(path), "orig_name": name})
        assert message_in(html).startswith(shown)
        assert "Traceback" not in html
    assert "a" * 60 not in reader.upload({"path": str(path), "orig_name": "a" * 200})
    path.unlink()
    assert "Upload it again" in reader.upload({"path": str(path), "orig_name": "x"})


def test_labels_are_escaped():
    class Model:
        classes_ = np.array(["<i>0</i>", "1"])

        def predict_proba(self, X):
            return np.array([[0.75, 0.25]])

    html = Reader(Model()).drawing(data_url(on_paper(load_mnist_sample("test").data[3])))
    assert digit_in(html) == "&lt;i&gt;0&lt;/i&gt;"
    assert "<i>0" not in html


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0, "0.0 %"),
        (1e-9, "< 0.1 %"),
        (0.0006, "0.1 %"),
        (0.5, "50.0 %"),
        (0.9994, "99.9 %"),
        (0.99999, "> 99.9 %"),
        (1, "100.0 %"),
    ],
)
def test_percent(share, expected):
    assert percent(share) == expected


# Where it listens


def test_the_first_free_port_is_taken(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as other:
        busy = other.getsockname()[1]
        monkeypatch.setattr(serving, "PORTS", range(busy, busy + 1))
        with listening("127.0.0.1", None) as listener:
            host, port = listener.getsockname()
            assert host == "127.0.0.1"
            assert port not in (0, busy)


def test_a_port_that_was_asked_for_and_is_busy():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        match = f"Got --host 127.0.0.1 --port {port}, expected a free port, or 0 for any"
        with pytest.raises(PortError, match=match), listening("127.0.0.1", port):
            pass


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a" * 300])
def test_hosts_that_are_not_here(host):
    match = f"Got --host {host} --port 0, expected where this computer can listen"
    with pytest.raises(PortError, match=match), listening(host, 0):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_the_address_is_one_for_a_browser(host):
    with listening(host, 0) as listener:
        address = urlsplit(address_of(listener))
        with socket.create_connection((address.hostname, address.port), timeout=10):
            pass


# The command


def run(*arguments, before=""):
    code = f"{before}\nimport sys\nfrom skdigits._cli import main\nmain({list(arguments)!r})"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_without_gradio_it_says_what_to_install():
    blocker = textwrap.dedent("""
        import sys

        class Blocker:
            def find_spec(self, name, path=None, target=None):
                if name.partition(".")[0] in ("gradio", "fastapi", "uvicorn"):
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        sys.meta_path.insert(0, Blocker())
    """)
    done = run("draw", "--no-browser", before=blocker)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "pip install 'skdigits[demo]'" in line
    assert line.startswith("Error: Got no Gradio")
    assert not done.stdout


def test_help_does_without_gradio():
    before = (
        "import atexit, sys\natexit.register(lambda: print('gradio' in sys.modules, "
        "'skdigits._demo' in sys.modules))"
    )
    for arguments in (["--help"], ["draw", "--help"]):
        done = run(*arguments, before=before)
        assert done.returncode == 0
        assert done.stdout.splitlines()[-1] == "False False"


def test_models_that_are_none(tmp_path):
    path = tmp_path / "digits.skdigits"
    path.write_bytes(b"junk")
    done = run("draw", "--no-browser", "--model", str(path))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "skdigits.save" in done.stderr


class Service:
    """The real command, and what it has printed so far."""

    def __init__(self, folder, *arguments):
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(WATCHMAN)
        self.files = folder / "files"
        self.files.mkdir()
        path = os.pathsep.join(filter(None, [str(folder / "site"), os.environ.get("PYTHONPATH")]))
        environment = os.environ | {"PYTHONPATH": path, "TMPDIR": str(self.files)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "skdigits", "draw", "--no-browser", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        self.printed = []
        for line in self.process.stdout:
            self.printed.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self.address, self.port = found[0], int(found[1])
                break
        else:
            pytest.fail("".join(self.printed))
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        self.printed.extend(self.process.stdout)

    @property
    def log(self):
        return "".join(self.printed)

    def end(self, sent=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sent)
        status = self.process.wait(timeout=PATIENCE)
        self._reader.join()
        self.process.stdout.close()
        return status

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode(), response.headers
        finally:
            connection.close()

    def upload(self, content, name="digit.png"):
        head = (
            '--x\r\nContent-Disposition: form-data; name="files"; '
            f'filename="{name}"\r\nContent-Type: image/png\r\n\r\n'
        )
        body = head.encode() + content + b"\r\n--x--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        return self.ask("POST", "/gradio_api/upload", body, kind)[:2]

    def show(self, function, value):
        """What the page shows of a drawing (function 0) or an upload (function 2)."""
        body = json.dumps(
            {"data": [value], "fn_index": function, "session_hash": os.urandom(4).hex()}
        )
        kind = {"Content-Type": "application/json"}
        status, answer, _ = self.ask("POST", "/gradio_api/run/predict", body, kind)
        return status, json.loads(answer)["data"][0] if status == 200 else answer


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    service = Service(tmp_path_factory.mktemp("service"), "--port", "0")
    yield service
    service.end()


def test_large_uploads_are_rejected(service):
    status, answer = service.upload(b"x" * (MOST_BYTES + 1))
    assert status == 413
    assert "maximum allowed size" in answer
    assert not any(path.stat().st_size > MOST_BYTES for path in service.files.rglob("*"))
    assert service.upload(b"x" * (MOST_BYTES - 1))[0] == 200


def test_uploads_are_read(service, sample):
    [path] = json.loads(service.upload(png(on_paper(sample[0][3])))[1])
    assert path.startswith(str(service.files))
    file = {"path": path, "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    status, html = service.show(2, file)
    assert status == 200
    assert digit_in(html) == sample[1][3]


def test_other_files_are_not_read(service, tmp_path, sample):
    path = tmp_path / "digit.png"
    path.write_bytes(png(on_paper(sample[0][3])))
    file = {"path": str(path), "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    for function in (0, 2):
        status, answer = service.show(function, file)
        assert status == 500
        assert "digit" not in answer
    assert service.ask("GET", f"/gradio_api/file={path}")[0] == 403


def test_addresses_are_not_downloaded(service):
    file = {"path": "http://192.0.2.1/digit.png", "meta": {"_type": "gradio.FileData"}}
    status, html = service.show(2, file)
    assert status == 200
    assert "Upload it again" in message_in(html)
    # Nothing has been asked there, which the log would show.
    assert "OUTSIDE" not in service.log


def test_many_at_once(service, reader, sample):
    drawings = [data_url(on_paper(row)) for row in sample[0][:16]]
    found = [None] * len(drawings)

    def work(i):
        found[i] = service.show(0, drawings[i])[1]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(drawings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [digit_in(html) for html in found] == [digit_in(reader.drawing(d)) for d in drawings]


def test_the_page_may_ask_its_own_server_alone(service):
    status, page, headers = service.ask("GET", "/")
    assert status == 200
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "googleapis" not in page
    assert '"analytics_enabled":false' in page.replace(" ", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for other processes")
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_it_ends_cleanly(tmp_path, sent, status):
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    with socket.create_server(("127.0.0.1", 0)):
        service = Service(tmp_path, "--host", "127.0.0.1")
        assert service.upload(b"x")[0] == 200
        assert any(service.files.rglob("digit.png"))
        assert service.end(sent) == status
    assert "Traceback" not in service.log
    assert "OUTSIDE" not in service.log
    assert len(service.printed) <= 2
    assert not list(service.files.rglob("digit.png"))


def test_the_environment_is_left_as_it_was():
    pytest.importorskip("gradio", reason="the extra demo is not installed")
    code = textwrap.dedent("""
        import os, signal, threading
        from skdigits import load_pretrained
        from skdigits._demo.serving import serve

        class Stop(Exception):
            pass

        def ready(address):
            assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
            raise Stop

        os.environ["GRADIO_ANALYTICS_ENABLED"] = "True"
        def state():
            return dict(os.environ), os.getcwd(), signal.getsignal(signal.SIGINT)
        before = state()
        for _ in range(2):
            try:
                serve(load_pretrained(), port=0, ready=ready)
            except Stop:
                pass
        assert state() == before
        print(sum("uvicorn" in str(t) or "run" in t.name for t in threading.enumerate()))
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout.split() == ["0"]


# In a browser


def find_browser():
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium or Chrome is installed")
    options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options, timeout=120_000)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, service):
    """Open the page; afterwards nothing must have been asked of others, nor gone wrong."""
    contexts, asked, errors = [], set(), []

    def open_page(width=960, colours="light"):
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=colours
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("request", lambda request: asked.add(urlsplit(request.url)))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(service.address)
        page.wait_for_selector("#pad canvas")
        page.wait_for_selector("#answer .message")
        return page

    open_page.errors = errors
    yield open_page
    for context in contexts:
        context.close()
    assert {url.hostname for url in asked if url.scheme not in ("data", "blob")} == {"127.0.0.1"}
    assert not errors


def draw(page, digit, lift=True):
    box = page.locator("#pad canvas").bounding_box()
    for stroke in STROKES[digit]:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=6)
        if lift:
            page.mouse.up()


def wait_for_digit(page, digit):
    page.wait_for_function(
        "digit => document.querySelector('#answer .digit')?.innerText === digit", arg=str(digit)
    )


def wait_for_message(page, text):
    page.wait_for_function(
        "text => document.querySelector('#answer .message')?.innerText.includes(text)", arg=text
    )


def test_digits_are_drawn_and_read(open_page):
    page = open_page()
    assert page.locator("#answer .message").inner_text() == "Draw a digit."
    for digit in (7, *STROKES):
        draw(page, digit)
        wait_for_digit(page, digit)
        page.get_by_role("button", name="Clear").click()
        wait_for_message(page, "Draw a digit.")
    assert page.locator("#answer li").count() == 10


def test_the_answer_comes_while_the_stroke_is_drawn(open_page):
    page = open_page()
    draw(page, 7, lift=False)
    wait_for_digit(page, 7)
    page.mouse.up()
    assert page.locator("#answer .best .name").inner_text() == "7"
    assert page.locator("#answer img").evaluate("image => image.naturalWidth") == 28


def test_strokes_are_taken_back(open_page):
    page = open_page()
    assert page.get_by_role("button", name="Undo").is_disabled()
    draw(page, 1)
    wait_for_digit(page, 1)
    draw(page, 0)
    page.get_by_role("button", name="Undo").click()
    wait_for_digit(page, 1)
    page.locator("#pad canvas").focus()
    page.keyboard.press("Control+z")
    wait_for_message(page, "Draw a digit.")
    draw(page, 3)
    wait_for_digit(page, 3)
    page.locator("#pad canvas").focus()
    page.keyboard.press("Delete")
    wait_for_message(page, "Draw a digit.")


def choose(page, name, content):
    """Upload a file, in the place of the one before."""
    if page.get_by_label("Remove Image").count():
        page.get_by_label("Remove Image").click()
        wait_for_message(page, "Upload a picture")
    page.locator("#picture input[type=file]").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": content}
    )


def test_pictures_are_uploaded_and_read(open_page, sample):
    page = open_page()
    draw(page, 7)
    wait_for_digit(page, 7)
    page.get_by_role("tab", name="Upload").click()
    wait_for_message(page, "Upload a picture of a digit.")
    for i in (0, 3):
        choose(page, "digit.png", png(on_paper(sample[0][i])))
        wait_for_digit(page, sample[1][i])
    page.get_by_role("tab", name="Draw").click()
    wait_for_digit(page, 7)


def test_bad_uploads_are_refused_on_the_page(open_page, sample):
    page = open_page()
    page.get_by_role("tab", name="Upload").click()
    wait_for_message(page, "Upload a picture of a digit.")
    blank = png(Image.new("RGB", (200, 200), "white"))
    for name, content, message in [
        ("broken.png", png(on_paper(sample[0][3]))[:200], "broken.png: is broken"),
        ("note.png", b"seven", "note.png: holds no picture of a known format"),
        ("blank.png", blank, "blank.png: holds no digit"),
    ]:
        choose(page, name, content)
        wait_for_message(page, message)
        assert "Traceback" not in page.locator("body").inner_text()


def test_large_uploads_are_refused_on_the_page(open_page):
    page = open_page()
    page.get_by_role("tab", name="Upload").click()
    choose(page, "huge.png", b"x" * (MOST_BYTES + 1))
    page.get_by_text("exceed the maximum allowed size of 20").first.wait_for()
    # Gradio asks how far the upload is that it has just refused.
    assert all("404" in error or error == "Response" for error in open_page.errors)
    open_page.errors.clear()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 960])
def test_it_fits_and_can_be_read(open_page, width, colours):
    page = open_page(width, colours)
    draw(page, 7)
    wait_for_digit(page, 7)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in ("h1", ".title p", ".digit", ".share", "figcaption", ".value", ".name"):
        assert contrast(page, selector) >= 4.5, selector


def contrast(page, selector):
    """Contrast of a text to the page, as WCAG has it."""
    colours = page.locator(selector).first.evaluate(
        "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
    )
    values = np.array([re.findall(r"[\d.]+", colour)[:3] for colour in colours], float) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    low, high = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


def test_nothing_has_gone_wrong_in_the_log(service):
    assert "OUTSIDE" not in service.log
