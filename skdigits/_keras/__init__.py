"""Everything that needs Keras; importing it imports TensorFlow."""

from . import process as process
