"""Training with Keras: the only package that imports Keras, its backend and SciKeras.

Importing it starts the backend.
"""

from .startup import start_backend

start_backend()
