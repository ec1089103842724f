"""The original's swap in its own order with v2 or v1 networks: crops, masks, steps, smoothing, pasting as published.

For comparison and research. The library's own pipeline takes the same networks (``Models.load(Backends.of("v2"))``),
and composites at the target's resolution instead of pasting a resized square.
"""

from .clip import OfficialFrame, swap_clip
from .photo import OfficialNetworks, OfficialOptions, OfficialSwap, Photo, swap_photo

__all__ = [
    "OfficialFrame",
    "OfficialNetworks",
    "OfficialOptions",
    "OfficialSwap",
    "Photo",
    "swap_clip",
    "swap_photo",
]
