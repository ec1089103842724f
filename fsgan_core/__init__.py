"""FSGAN: subject agnostic face swapping and reenactment, headless.

Conventions, used everywhere in this package:

=========== ==================================================================
frame       uint8 ``(H, W, 3)`` RGB numpy array, only in ``media`` and streams
image       float32 ``(B, 3, H, W)`` RGB tensor in [0, 1]
mask        float32 ``(B, 1, H, W)`` tensor in [0, 1]
box         ``(N, 4)`` left, top, right, bottom in pixels
landmarks   ``(N, P, 2 or 3)`` x, y (, z) in pixels of the frame or crop named;
            z grows away from the camera, in the same unit
            (pixel centres lie at half-integers: the first is at 0.5)
pose        ``(N, 3)`` yaw, pitch, roll in degrees; yaw > 0 looks to the
            image's right, pitch > 0 up, roll > 0 clockwise as seen
crop        square image around a face, 256 px unless said otherwise
source      whose face; **target**: whose picture or motion
=========== ==================================================================

Networks normalise their own input. Functions follow the device of their data.

The public names below are loaded when they are first asked for, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import FSGANError, MediaError, NoFaceError, WeightsError
    from .faces import Analysis, FaceSequence, Track
    from .media import Image, Video, VideoWriter, is_video, read_image, read_marking, write_image
    from .models import Backends, Models
    from .ops.controls import Controls
    from .pipeline import (
        AnalyzeOptions,
        ReenactOptions,
        analyze,
        build_appearance_map,
        edit,
        reenact,
        reenact_crops,
        swap,
    )
    from .provenance import Marking
    from .stages.analysis import load_analysis, save_analysis
    from .stages.appearance_map import AppearanceMap
    from .stages.selection import select
    from .streams import Clip, Frames, Still
    from .swapping import SwapOptions, UserMask

_HOMES = {
    "provenance": ("Marking",),
    "streams": ("Clip", "Frames", "Still"),
    "media": ("Image", "Video", "VideoWriter", "is_video", "read_image", "read_marking", "write_image"),
    "models": ("Backends", "Models"),
    "ops.controls": ("Controls",),
    "faces": ("Analysis", "FaceSequence", "Track"),
    "stages.analysis": ("load_analysis", "save_analysis"),
    "stages.selection": ("select",),
    "stages.appearance_map": ("AppearanceMap",),
    "swapping": ("SwapOptions", "UserMask"),
    "pipeline": (
        *("AnalyzeOptions", "analyze", "build_appearance_map", "edit"),
        *("ReenactOptions", "reenact", "reenact_crops", "swap"),
    ),
    "errors": ("FSGANError", "NoFaceError", "MediaError", "WeightsError"),
}
"""Public names by the module they live in, in the order of the pipeline."""

__all__ = [name for names in _HOMES.values() for name in names]


def __getattr__(name: str) -> Any:
    """Load a public name."""
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names with the module's own."""
    return sorted({*globals(), *__all__})
