"""Replug without its pixels: devices, flows, journals, the bench. Runs without a screen."""

__version__ = "0.1.0"
