"""Transformers of pixels and pictures, stateless steps of a Pipeline."""
