"""Reads numbers: several digits on one line."""
