"""The nodes: thin adapters between ComfyUI and ``fsgan_core``, which is imported when a node first runs."""

from __future__ import annotations

from . import host
from .adapters import FacesFromHost
from .analysis import AnalyzeImages, AnalyzeVideo, SelectFaces
from .appearance import BuildAppearanceMap, LoadFaceSet, PreviewCoverage, SaveFaceSet
from .editing import EditImage, EditVideo
from .evaluation import CompareSheet, EvaluateSwap, PlotReport
from .example import ExamplePicture, ExampleVideo
from .models import LoadModels
from .poisson import PoissonBlend
from .provenance import InspectProvenance, SaveMarkedImage, SaveMarkedVideo
from .reenact import ReenactImage, ReenactVideo
from .regions import LandmarksToMask
from .reshaping import ReshapeFaces
from .stages import BlendFaces, CompleteFaces, CompositeFaces, CropFaces, ReenactFaces, SegmentFaces
from .swap import SwapImage, SwapVideo
from .telling import missing_libraries

NODES = (
    *(LoadModels, AnalyzeImages, AnalyzeVideo, SelectFaces, FacesFromHost, LandmarksToMask),
    *(BuildAppearanceMap, PreviewCoverage, SaveFaceSet, LoadFaceSet),
    *(SwapImage, SwapVideo, ReenactImage, ReenactVideo, EditImage, EditVideo),
    *(ReshapeFaces, CropFaces, ReenactFaces, SegmentFaces, CompleteFaces, BlendFaces, CompositeFaces),
    *(PoissonBlend, SaveMarkedImage, SaveMarkedVideo, InspectProvenance),
    *(EvaluateSwap, CompareSheet, PlotReport),
    *(ExamplePicture, ExampleVideo),
)
"""Every node, in the order of the menu."""


class Extension(host.ComfyExtension):
    """What ComfyUI is given."""

    async def get_node_list(self) -> list[type[host.io.ComfyNode]]:
        """Every node class, after registering the folders of models and saying which libraries are missing."""
        # Not in on_load, which older hosts never call.
        missing_libraries()
        host.register_folders()
        return list(NODES)
