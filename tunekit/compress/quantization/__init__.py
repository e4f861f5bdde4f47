"""Quantization: the same network in fewer bits."""
