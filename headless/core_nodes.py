"""ComfyUI's own nodes that our workflows use, with the same results as version 0.33 on the CPU.

They are written like the pack's nodes. Those that save ask, in ``hidden``, for the number of the node and for which of
our nodes their pictures have passed through, so that those are marked as synthetic.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import torch
from comfy_api.latest import InputImpl, io
from torch import Tensor

from .pictures import load, scaled

_LARGEST = 16384


def _schema(name: str, inputs: list[Any], outputs: list[Any], output_node: bool = False) -> Any:
    return io.Schema(node_id=name, display_name=name, inputs=inputs, outputs=outputs, is_output_node=output_node)


class LoadImage(io.ComfyNode):
    """A picture file: IMAGE, and MASK of its transparency."""

    @classmethod
    def define_schema(cls) -> Any:
        """A name among the inputs."""
        named = io.Combo.Input("image", options=[], upload=io.UploadType.image)
        return _schema("LoadImage", [named], [io.Image.Output(), io.Mask.Output()])

    @classmethod
    def execute(cls, image: str) -> Any:
        """Read it."""
        return io.NodeOutput(*load(Path(folder_paths.get_annotated_filepath(image))))


class LoadVideo(io.ComfyNode):
    """A video file."""

    @classmethod
    def define_schema(cls) -> Any:
        """A name among the inputs."""
        named = io.Combo.Input("file", options=[], upload=io.UploadType.video)
        return _schema("LoadVideo", [named], [io.Video.Output()])

    @classmethod
    def execute(cls, file: str) -> Any:
        """Refer to it; it is read when it is needed."""
        from ..fsgan_core.media.files import check_input

        path = Path(folder_paths.get_annotated_filepath(file))
        check_input(path)
        return io.NodeOutput(InputImpl.VideoFromFile(str(path)))


class SaveImage(io.ComfyNode):
    """Pictures to numbered PNG files."""

    hidden = ("lineage",)

    @classmethod
    def define_schema(cls) -> Any:
        """Pictures and the beginning of the names."""
        prefix = io.String.Input("filename_prefix", default="ComfyUI")
        return _schema("SaveImage", [io.Image.Input("images"), prefix], [io.Image.Output()], output_node=True)

    @classmethod
    def execute(cls, images: Tensor, filename_prefix: str, lineage: Sequence[str]) -> Any:
        """Write them."""
        return io.NodeOutput(images, ui={"images": _saved(images, filename_prefix, lineage)})


class PreviewImage(io.ComfyNode):
    """Pictures to files that are named after the node."""

    hidden = ("unique_id", "lineage")

    @classmethod
    def define_schema(cls) -> Any:
        """Pictures."""
        return _schema("PreviewImage", [io.Image.Input("images")], [], output_node=True)

    @classmethod
    def execute(cls, images: Tensor, unique_id: str, lineage: Sequence[str]) -> Any:
        """Write them."""
        return io.NodeOutput(ui={"images": previewed(images, unique_id, lineage)})


def previewed(images: Tensor, unique_id: str, lineage: Sequence[str]) -> list[dict[str, str]]:
    """Write what a node shows; what the host tells its pages of the files."""
    name = "".join(letter if letter.isalnum() else "-" for letter in unique_id)
    return _saved(images, f"preview_{name}", lineage)


def _saved(images: Tensor, prefix: str, lineage: Sequence[str]) -> list[dict[str, str]]:
    """Write an IMAGE."""
    from ..fsgan_core.media import Image, write_image
    from ..fsgan_core.provenance import Marking

    height, width = images.shape[1:3]
    folder, stem, number, within, _ = folder_paths.get_save_image_path(
        prefix, folder_paths.get_output_directory(), width, height
    )
    mark = Marking(operation=", ".join(lineage)) if lineage else None
    told = []
    for image in images:
        # Cut off, not rounded.
        values = np.clip(255.0 * image.float().cpu().numpy(), 0, 255).astype(np.uint8)
        name = f"{stem}_{number:05}_.png"
        alpha = values[..., 3] if values.shape[-1] == 4 else None
        colours = values[..., :3] if values.shape[-1] > 1 else np.repeat(values, 3, -1)
        write_image(Path(folder) / name, Image(np.ascontiguousarray(colours), alpha), marking=mark)
        told.append({"filename": name, "subfolder": within, "type": "output"})
        number += 1
    return told


class SaveVideo(io.ComfyNode):
    """A video to a numbered file: the same file, nothing is encoded again."""

    @classmethod
    def define_schema(cls) -> Any:
        """A video and the beginning of the name; what the host can encode to is accepted if it is that already."""
        inputs = [
            io.Video.Input("video"),
            io.String.Input("filename_prefix", default="video/ComfyUI"),
            io.String.Input("format", default="auto"),
            io.String.Input("codec", default="auto", optional=True),
        ]
        return _schema("SaveVideo", inputs, [io.Video.Output()], output_node=True)

    @classmethod
    def execute(cls, video: Any, filename_prefix: str, format: str, codec: str = "auto") -> Any:
        """Copy it, with the marking that it carries."""
        from ..fsgan_core.media import Video
        from ..fsgan_core.media.files import staged

        source = Path(video.get_stream_source())
        if format not in ("auto", source.suffix[1:].lower()) or codec not in ("auto", "h264"):
            wanted = f"format '{format}', codec '{codec}'"
            raise ValueError(f"found {wanted}; without ComfyUI videos are saved as they are, so set both to auto")
        folder, stem, number, within, _ = folder_paths.get_save_image_path(
            filename_prefix, folder_paths.get_output_directory(), *Video(source).size
        )
        path = Path(folder) / f"{stem}_{number:05}_{source.suffix}"
        with staged(path) as temporary:
            shutil.copyfile(source, temporary)
        told = {"filename": path.name, "subfolder": within, "type": "output"}
        return io.NodeOutput(video, ui={"images": [told]})


class PreviewAny(io.ComfyNode):
    """Any value as words."""

    @classmethod
    def define_schema(cls) -> Any:
        """Anything."""
        return _schema("PreviewAny", [io.AnyType.Input("source")], [io.String.Output()], output_node=True)

    @classmethod
    def execute(cls, source: Any) -> Any:
        """Collections as JSON where they can be, the rest as Python says it."""
        try:
            plain = source is None or isinstance(source, (str, int, float))
            words = str(source) if plain else json.dumps(source, indent=4, ensure_ascii=False)
        except (TypeError, ValueError):
            words = str(source)
        return io.NodeOutput(words, ui={"text": (words,)})


class ImageBatch(io.ComfyNode):
    """Two IMAGEs as one; the second takes the first's size."""

    @classmethod
    def define_schema(cls) -> Any:
        """Two IMAGEs."""
        return _schema("ImageBatch", [io.Image.Input("image1"), io.Image.Input("image2")], [io.Image.Output()])

    @classmethod
    def execute(cls, image1: Tensor, image2: Tensor) -> Any:
        """Complete an alpha that one of them lacks, scale, join."""
        most = max(image1.shape[-1], image2.shape[-1])
        first, second = (
            torch.nn.functional.pad(image, (0, most - image.shape[-1]), value=1.0) for image in (image1, image2)
        )
        if first.shape[1:3] != second.shape[1:3]:
            second = scaled(second, first.shape[2], first.shape[1], "bilinear", centred=True)
        return io.NodeOutput(torch.cat((first, second)))


class ImageScale(io.ComfyNode):
    """An IMAGE in another size."""

    @classmethod
    def define_schema(cls) -> Any:
        """The size, 0 for what keeps the proportions, and the method."""
        methods = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]
        inputs = [
            io.Image.Input("image"),
            io.Combo.Input("upscale_method", options=methods),
            io.Int.Input("width", default=512, min=0, max=_LARGEST),
            io.Int.Input("height", default=512, min=0, max=_LARGEST),
            io.Combo.Input("crop", options=["disabled", "center"]),
        ]
        return _schema("ImageScale", inputs, [io.Image.Output()])

    @classmethod
    def execute(cls, image: Tensor, upscale_method: str, width: int, height: int, crop: str) -> Any:
        """Scale; without any size nothing changes."""
        high, wide = image.shape[1:3]
        if width == height == 0:
            return io.NodeOutput(image)
        width = width or max(1, round(wide * height / high))
        height = height or max(1, round(high * width / wide))
        return io.NodeOutput(scaled(image, width, height, upscale_method, centred=crop == "center"))


class SolidMask(io.ComfyNode):
    """A MASK of one value."""

    @classmethod
    def define_schema(cls) -> Any:
        """Value and size."""
        sides = [io.Int.Input(side, default=512, min=1, max=_LARGEST) for side in ("width", "height")]
        value = io.Float.Input("value", default=1.0, min=0.0, max=1.0)
        return _schema("SolidMask", [value, *sides], [io.Mask.Output()])

    @classmethod
    def execute(cls, value: float, width: int, height: int) -> Any:
        """Fill it."""
        return io.NodeOutput(torch.full((1, height, width), value))


class FeatherMask(io.ComfyNode):
    """A MASK whose borders fade."""

    @classmethod
    def define_schema(cls) -> Any:
        """A MASK and the widths."""
        sides = [io.Int.Input(side, default=0, min=0, max=_LARGEST) for side in ("left", "top", "right", "bottom")]
        return _schema("FeatherMask", [io.Mask.Input("mask"), *sides], [io.Mask.Output()])

    @classmethod
    def execute(cls, mask: Tensor, left: int, top: int, right: int, bottom: int) -> Any:
        """Fade side by side, in the host's order: its products are rounded one by one."""
        result = mask.reshape(-1, *mask.shape[-2:]).clone()
        for turned, axis, width in ((False, 2, left), (True, 2, right), (False, 1, top), (True, 1, bottom)):
            width = min(width, result.shape[axis])
            for place in range(width):
                line = result.select(axis, result.shape[axis] - 1 - place if turned else place)
                line *= (place + 1) / width
        return io.NodeOutput(result)


class MaskToImage(io.ComfyNode):
    """A MASK as grey pictures."""

    @classmethod
    def define_schema(cls) -> Any:
        """A MASK."""
        return _schema("MaskToImage", [io.Mask.Input("mask")], [io.Image.Output()])

    @classmethod
    def execute(cls, mask: Tensor) -> Any:
        """Repeat it."""
        return io.NodeOutput(mask.reshape(-1, *mask.shape[-2:], 1).expand(-1, -1, -1, 3))


CORE = (
    *(LoadImage, LoadVideo, SaveImage, SaveVideo, PreviewImage, PreviewAny),
    *(ImageBatch, ImageScale, SolidMask, FeatherMask, MaskToImage),
)
"""The core's nodes that run here."""
