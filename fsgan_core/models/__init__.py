"""The stages of a run, built once and handed to the pipeline."""

from .backends import MENUS, Backends
from .bundle import Models

__all__ = ["MENUS", "Backends", "Models"]
