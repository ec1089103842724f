"""Weights: the safetensors door, the converter and the bundled files."""
