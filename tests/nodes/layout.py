"""Nodes at work for :mod:`pictures`, and what they give laid out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parents[2]
LARGEST = 40_000
"""Bytes of a file."""
GAP, PAPER = 6, (32, 32, 32)
Rows = Sequence[Sequence[Any]]


class Nodes:
    """The nodes by their names, with their defaults and what is given; nothing is measured meanwhile."""

    def __init__(self, folder: Path) -> None:
        # By its path: of all of the pack the nodes alone are to be imported.
        sys.path[:0] = [str(ROOT), str(ROOT / "headless")]
        import host as stand_in

        folders = stand_in.Folders.under(folder)
        folders.inputs.mkdir()
        stand_in.install(folders)
        self.inputs, self.classes = folders.inputs, dict(stand_in.node_classes(ROOT))

    def __call__(self, name: str, /, **given: Any) -> tuple[Any, ...]:
        node = self.classes[f"FSGAN_{name}"]
        values = {one.id: one.values["default"] for one in node.define_schema().inputs if "default" in one.values}
        values |= {"measure": False} if "measure" in values else {}
        with torch.inference_mode():
            return tuple(node.execute(**values | given).args)

    def told(self, result: Any) -> str:
        """What the file of a swap, a picture or a video, says of its making."""
        from fsgan_core.media import Image as Written
        from fsgan_core.media import write_image
        from fsgan_core.provenance import Marking

        path = self.inputs / ("swap.png" if isinstance(result, torch.Tensor) else "swap.mp4")
        if isinstance(result, torch.Tensor):
            mark = Marking(operation="face swap", weights="open")
            write_image(path, Written(np.asarray(picture(result))), marking=mark, overwrite=True)
        else:
            result.save_to(str(path))
        return str(self("InspectProvenance", file=path.name)[0])


def picture(shown: Any) -> Image.Image:
    """A picture ``(H, W, 3)`` or mask ``(H, W)`` of a node, a frame, or a picture already."""
    if isinstance(shown, Image.Image):
        return shown
    values = (shown * 255).round().byte().cpu().numpy() if isinstance(shown, torch.Tensor) else shown
    return Image.fromarray(np.ascontiguousarray(values)).convert("RGB")


def laid(rows: Rows, height: int) -> Image.Image:
    """Rows of pictures of one height, side by side."""
    scaled = [
        [one.resize((round(one.width * height / one.height), height), Image.Resampling.LANCZOS) for one in row]
        for row in (list(map(picture, row)) for row in rows)
    ]
    width = max(sum(one.width + GAP for one in row) - GAP for row in scaled)
    paper = Image.new("RGB", (width, len(scaled) * (height + GAP) - GAP), PAPER)
    for number, row in enumerate(scaled):
        left = 0
        for one in row:
            paper.paste(one, (left, number * (height + GAP)))
            left += one.width + GAP
    return paper


def hero(target: Any, source: Any, result: Any) -> Image.Image:
    """A thumbnail: what goes in, small, beside what comes out."""
    return laid([[laid([[target], [source]], 197), result]], 400)


def panel(text: str) -> Image.Image:
    """Words on a dark card."""
    card = Image.new("RGB", (640, 320), PAPER)
    words = text.replace("digitalsourcetype/", "digitalsourcetype/\n  ")
    ImageDraw.Draw(card).multiline_text((24, 24), words, (220, 220, 220), ImageFont.load_default(21), spacing=14)
    return card


def saved(shown: Image.Image, path: Path) -> None:
    """Write a JPEG of at most :data:`LARGEST` bytes, marked as what it is."""
    from fsgan_core.media import Image as Written
    from fsgan_core.media import write_image
    from fsgan_core.provenance import Marking

    mark = Marking(operation="help picture", weights="open")
    for quality in range(90, 30, -5):
        write_image(path, Written(np.asarray(shown)), quality=quality, marking=mark, overwrite=True)
        if path.stat().st_size <= LARGEST:
            return
