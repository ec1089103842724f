"""The pictures of the help pages and the thumbnails of the workflows, drawn by the nodes themselves.

After a change of what is drawn type ``python tests/nodes/pictures.py``, then look at them. They show the two portraits
in the public domain that the pack brings. Needs matplotlib (``pip install -e ".[eval]"``); about a minute of one core.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from layout import ROOT, Nodes, hero, laid, panel, saved
from PIL import Image

HELP, THUMBNAILS = ROOT / "web" / "docs" / "pictures", ROOT / "workflows"
Made = Iterator[tuple[str, Image.Image]]


def frames(video: Any, count: int = 3) -> list[Any]:
    """Frames spread over what a VIDEO means."""
    videos = sys.modules["fsgan_pack.nodes.videos"]
    with videos.opened(video) as window:
        found = list(window)
    return [found[round(number * (len(found) - 1) / (count - 1))] for number in range(count)]


def swaps(run: Nodes, target: Any, source: Any, several: Any) -> Made:
    """Swaps of pictures, and how they are judged."""
    swapped = run("SwapImage", target=target, source=source)[0]
    yield "SwapImage", laid([[target[0], source[0], swapped[0]]], 212)
    yield "swap-image", hero(target[0], source[0], swapped[0])
    views, chart, _ = run("BuildAppearanceMap", image=several)
    better = run("SwapImage", target=target, source=views)[0]
    yield "BuildAppearanceMap", laid([list(several), [chart[0]]], 157)
    for name in ("PreviewCoverage", "SaveFaceSet"):
        yield name, laid([[chart[0]]], 349)
    yield "LoadFaceSet", laid([[chart[0], better[0]]], 220)
    yield "several-sources", hero(laid([several[:2]], 197), laid([several[2:]], 197), better[0])
    sets = ({}, {"segmentation": "mesh"}, {"blending": "multiband"}, {"blending": "feather"})
    ways = [run("SwapImage", target=target, source=source, models=run("LoadModels", **one)[0])[0] for one in sets]
    yield "LoadModels", laid([[one[0] for one in ways]], 212)
    for name in ("SaveMarkedImage", "InspectProvenance"):
        yield name, laid([[swapped[0], panel(run.told(swapped[0]))]], 220)


def shaped(run: Nodes, target: Any, source: Any) -> Made:
    """A head as it is, in the source's proportions, and swapped."""
    faces = run("AnalyzeImages", image=target)[0]
    bent, moved = run("ReshapeFaces", target=target, source=source, faces=faces, face_shape=1.0)
    swapped = run("SwapImage", target=bent, source=source, faces=moved)[0]
    yield "ReshapeFaces", laid([[source[0], target[0], bent[0], swapped[0]]], 180)


def ablation(run: Nodes, target: Any, several: Any) -> Made:
    """One view or several, pasted or blended."""
    pasted = {"blending": "feather", "match_color": False, "match_light": 0.0, "match_fineness": 0.0}
    four = [
        [
            run("SwapImage", target=target, source=several, views=views, **how)[0][0]
            for views in ("closest", "interpolate")
        ]
        for how in (pasted, {})
    ]
    yield "ablation", laid(four, 197)


def steps(run: Nodes, target: Any, source: Any) -> Made:
    """The stages one by one."""
    crops, cut = run("CropFaces", target=target)
    drawn, face = run("ReenactFaces", crops=crops, source=source)
    masked, mask = run("SegmentFaces", crops=drawn)
    whole, completed = run("CompleteFaces", crops=masked)
    done, blended = run("BlendFaces", crops=whole)
    image, _ = run("CompositeFaces", target=target, crops=done)
    yield "CropFaces", laid([[cut[0]]], 256)
    yield "step-by-step", laid([[cut[0], face[0], mask[0]], [completed[0], blended[0], image[0]]], 197)
    pairs = {"ReenactFaces": (cut, face), "SegmentFaces": (cut, mask), "CompleteFaces": (face, completed)}
    pairs |= {"BlendFaces": (completed, blended), "CompositeFaces": (blended, image)}
    for name, pair in pairs.items():
        yield name, laid([[one[0] for one in pair]], 200)
    pasted = torch.lerp(cut, face, (mask > 0.5).float()[..., None])
    cloned = run("PoissonBlend", target=cut, source=face, mask=mask)[0]
    yield "PoissonBlend", laid([[pasted[0], cloned[0]]], 200)
    yield "poisson-blend", laid([[pasted[0], cloned[0]]], 297)


def measured(run: Nodes, target: Any, source: Any) -> Made:
    """Faces found and chosen."""
    for name, one in (("AnalyzeImages", target), ("FacesFromHostLandmarks", source)):
        yield name, laid([[run("AnalyzeImages", image=one)[1][0]]], 400)
    faces, preview, _ = run("AnalyzeImages", image=source)
    yield "LandmarksToMask", laid([[preview[0], run("LandmarksToMask", faces=faces, image=source)[0][0]]], 200)
    both = torch.cat((target, source), 2)
    faces, preview, _ = run("AnalyzeImages", image=both)
    chosen = run("SelectFaces", faces=faces, face="by number", face_number=1)[0]
    yield "SelectFaces", laid([[preview[0]], [run("LandmarksToMask", faces=chosen, image=both)[1][0]]], 240)


def moved(run: Nodes, target: Any, source: Any) -> Made:
    """Portraits that move, and faces changed by numbers."""
    whole, crop = (
        run("ReenactImage", source=source, target=target, framing=framing)[0] for framing in ("full picture", "crop")
    )
    yield "ReenactImage", laid([[source[0], target[0], whole[0], crop[0]]], 180)
    yield "reenact-portrait", hero(target[0], source[0], whole[0])
    wishes = ({"smile": 0.7}, {"blink_left": 1.0}, {"gaze_yaw": 25.0}, {"yaw": -18.0}, {"jaw": 0.7})
    edits = [run("FaceControls", image=source, **one)[0][0] for one in wishes]
    yield "FaceControls", laid([[source[0], *edits]], 150)
    yield "expression-editing", laid([[source[0], edits[0]]], 297)


def filmed(run: Nodes, source: Any, video: Any) -> Made:
    """Videos, and how a result is judged along them."""
    yield "ExampleVideo", laid([frames(video)], 210)
    yield "AnalyzeVideo", laid([run("AnalyzeVideo", video=video)[1][::3]], 200)
    swapped = run("SwapVideo", target=video, source=source)[0]
    moving = run("ReenactVideo", target=video, source=source)[0]
    before, after = frames(video), frames(swapped)
    yield "SwapVideo", laid([before, after], 160)
    yield "swap-video", hero(before[0], source[0], after[0])
    yield "ReenactVideo", laid([before, frames(moving)], 160)
    yield "SaveMarkedVideo", laid([[after[1], panel(run.told(swapped))]], 220)
    quality, _, worst, _ = run("EvaluateSwap", result=swapped, target=video, source=source)
    yield "EvaluateSwap", laid([[worst[0]]], 445)
    yield "evaluate", laid([[worst[0]]], 320)
    yield "PlotReport", laid([[run("PlotReport", quality=quality)[0][0]]], 620)
    pairs = [torch.from_numpy(np.stack(shown[:2])).float() / 255 for shown in (before, after)]
    yield "CompareSheet", laid([[run("CompareSheet", before=pairs[0], after=pairs[1], source=source)[0][0]]], 170)


def everything(run: Nodes) -> Made:
    """Every picture by the name of its node or workflow."""
    collins, hopper, several = (
        run("ExamplePicture", picture=name)[0]
        for name in ("Eileen Collins", "Grace Hopper", "Eileen Collins, four pictures")
    )
    yield "ExamplePicture", laid([[collins[0], hopper[0]]], 216)
    yield from steps(run, hopper, collins)
    # Head and shoulders, so that faces are large enough to be seen.
    collins, several, hopper = collins[:, :320, 75:395], several[:, :320, 75:395], hopper[:, 30:350, 91:411]
    (film,) = run("ExampleVideo")
    clip = type(film)(film.get_stream_source(), start_time=1.0, duration=1.5)
    yield from measured(run, hopper, collins)
    yield from swaps(run, hopper, collins, several)
    yield from shaped(run, hopper, collins)
    yield from ablation(run, hopper, several)
    yield from moved(run, hopper, collins)
    yield from filmed(run, collins, clip)


def main() -> None:
    """Draw everything."""
    with tempfile.TemporaryDirectory() as folder:
        for name, shown in everything(Nodes(Path(folder))):
            help_page = name[0].isupper()
            path = HELP / f"FSGAN_{name}.jpg" if help_page else THUMBNAILS / f"{name}.jpg"
            saved(shown, path)
            sys.stdout.write(f"wrote {path.relative_to(ROOT)}, {path.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
