"""
How to save and serve a model?
==============================

A trained model is used in other processes, on other machines, in other languages, or by a web
service.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

import skdigits
from skdigits import DigitANNClassifier, PixelScaler
from skdigits.datasets import load_mnist_sample

X, y = load_mnist_sample(subset="train", return_X_y=True)
X_test, y_test = load_mnist_sample(subset="test", return_X_y=True)
model = make_pipeline(PixelScaler(), DigitANNClassifier((128, 64), epochs=20, random_state=0))
model.fit(X, y)
folder = Path(tempfile.mkdtemp())

# %%
# Saving to a safe file
# ---------------------
#
# ``load`` runs no code from the file, in contrast to a pickle. It does not import TensorFlow, and
# the predictions are identical.

skdigits.save(model, folder / "digits.skdigits")
start = time.perf_counter()
loaded = skdigits.load(folder / "digits.skdigits")
print(f"Loaded in {time.perf_counter() - start:.2f} s")
print(f"The file has {(folder / 'digits.skdigits').stat().st_size / 1e6:.1f} MB")
print("Same bits:", np.array_equal(loaded.predict_proba(X_test), model.predict_proba(X_test)))

# %%
# A damaged file raises an error:

content = bytearray((folder / "digits.skdigits").read_bytes())
content[len(content) // 2] ^= 1
(folder / "damaged.skdigits").write_bytes(content)
try:
    skdigits.load(folder / "damaged.skdigits")
except ValueError as error:
    print(str(error).replace(str(folder), ""))

# %%
# Export to ONNX
# --------------
#
# An ONNX model, including the scaler, runs in C++, Java, JavaScript and on phones. ``pip install
# "skdigits[onnx]"`` installs the dependencies.

import onnxruntime

from skdigits.onnx import export

export(model, folder / "digits.onnx")
session = onnxruntime.InferenceSession(folder / "digits.onnx")
labels, probabilities = session.run(None, {"X": X_test.astype(np.float32)})
print("Same labels:", np.array_equal(labels, model.predict(X_test)))
print(f"Largest difference: {np.abs(probabilities - model.predict_proba(X_test)).max():.1e}")

# %%
# Serving over HTTP
# -----------------
#
# A minimal service that receives a picture and returns a digit. ``examples/serving/serve.py`` in
# the repository adds limits of size and time and errors for invalid requests.

import io
import json
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image


class Service(BaseHTTPRequestHandler):
    """Answers a POST of a picture."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        chances = loaded.predict_proba(skdigits.read_digit_images(body))[0]
        label = loaded.classes_[chances.argmax()]
        answer = {"label": str(label), "probability": round(float(chances.max()), 4)}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *args):
        """Stay silent."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
threading.Thread(target=server.serve_forever, daemon=True).start()

# %%
# The client sends test digits as PNG files, dark on bright and twice as large:

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
address = f"http://127.0.0.1:{server.server_port}/"
answers = []
for i in range(8):
    picture = Image.fromarray(255 - X_test[i].reshape(28, 28)).resize((56, 56))
    png = io.BytesIO()
    picture.save(png, "PNG")
    with opener.open(urllib.request.Request(address, data=png.getvalue())) as answer:
        answers.append(json.load(answer))
print(answers[0])
server.shutdown()
server.server_close()

# %%
# The answers:

from skdigits.displays import DigitGridDisplay

display = DigitGridDisplay(
    X_test[:8],
    y_true=y_test[:8],
    y_pred=[answer["label"] for answer in answers],
    confidence=[answer["probability"] for answer in answers],
)
_ = display.plot(n_columns=8)
