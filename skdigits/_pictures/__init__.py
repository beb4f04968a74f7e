"""Turns pictures of handwritten digits into MNIST's form, one step per module."""
