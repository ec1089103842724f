"""The paper's pipeline over whole clips.

Every function streams: a clip is walked through frame by frame, results are yielded as they are made, and between
passes only numbers survive. Progress and cancelling belong to the caller, who wraps the clip or the results.
"""

from .analysis import AnalyzeOptions, analyze, build_appearance_map
from .editing import edit
from .reenactment import ReenactOptions, reenact, reenact_crops
from .results import FaceRecord, Rendered, angles
from .swapping import swap

__all__ = [
    "AnalyzeOptions",
    "FaceRecord",
    "ReenactOptions",
    "Rendered",
    "analyze",
    "angles",
    "build_appearance_map",
    "edit",
    "reenact",
    "reenact_crops",
    "swap",
]
