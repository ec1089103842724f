"""Picture files and sizes exactly as ComfyUI 0.33 has them: PyAV decodes, swscale converts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from torch import Tensor

_EIGHT_BITS = {"yuvj420p", "yuvj422p", "yuvj444p", "rgb24", "rgba", "pal8"}
"""Pixel formats that are read as bytes; all others become floats."""
_ALIGNED = 32


def load(path: Path) -> tuple[Tensor, Tensor]:
    """Read a picture, or the frames of an animation.

    Returns:
        IMAGE ``(B, H, W, 3)``, upright; MASK ``(B, H, W)``, 1 where the picture is transparent, or ``(B, 64, 64)``
        zeros for one that cannot be.

    Raises:
        MediaError: it is none, or damaged.
    """
    from ..fsgan_core.errors import MediaError
    from ..fsgan_core.media.files import check_input

    check_input(path)
    try:
        with av.open(str(path)) as container:
            frames = [_values(frame) for frame in container.decode(video=0)]
    except (av.FFmpegError, IndexError) as error:
        raise MediaError(f"{path} is no picture that can be read ({error}); save it as PNG") from error
    if not frames:
        raise MediaError(f"{path} holds no picture that can be read; save it as PNG")
    stacked = torch.from_numpy(np.stack(frames))
    values = stacked.float() / 255 if stacked.dtype == torch.uint8 else stacked
    if values.shape[-1] == 4:
        return values[..., :3], 1.0 - values[..., 3]
    return values, torch.zeros(len(values), 64, 64)


def _values(frame: Any) -> NDArray[Any]:
    """One frame ``(H, W, 3 or 4)``, uint8 or float32, turned as its notes say."""
    form = frame.format
    alpha = form.name == "pal8" or any(component.is_alpha for component in form.components)
    if form.name in _EIGHT_BITS:
        values = frame.to_ndarray(format="rgba" if alpha else "rgb24")
    else:
        whole = frame if frame.width % _ALIGNED == 0 else _extended(frame)
        values = whole.to_ndarray(format="gbrapf32le" if alpha else "gbrpf32le")[: frame.height, : frame.width]
    return np.ascontiguousarray(np.rot90(values, round(frame.rotation // 90)))


def _extended(frame: Any) -> Any:
    """The frame with its border repeated up to sides that the conversion works on in whole blocks."""
    width, height = (-(-side // _ALIGNED) * _ALIGNED for side in (frame.width, frame.height))
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base
    )
    border = f"left=0:right={width - frame.width}:top=0:bottom={height - frame.height}:mode=smear"
    steps = [graph.add("pad", f"{width}:{height}:0:0"), graph.add("fillborders", border), graph.add("buffersink")]
    for before, after in zip([source, *steps], steps, strict=False):
        before.link_to(after)
    graph.configure()
    source.push(frame)
    return steps[-1].pull()


def scaled(images: Tensor, width: int, height: int, method: str, centred: bool) -> Tensor:
    """An IMAGE in another size.

    Args:
        images: ``(B, H, W, C)``.
        width: wanted.
        height: wanted.
        method: of torch's interpolation, or ``lanczos``, which is Pillow's on bytes.
        centred: cut off what does not fit the new proportions.
    """
    if centred:
        images = _cut(images, width / height)
    if method != "lanczos":
        planes = torch.nn.functional.interpolate(images.movedim(-1, 1), (height, width), mode=method)
        return planes.movedim(1, -1)
    return torch.stack([_lanczos(image, width, height) for image in images])


def _lanczos(image: Tensor, width: int, height: int) -> Tensor:
    values = np.clip(255.0 * image.cpu().numpy(), 0, 255).astype(np.uint8)
    picture = Pillow.fromarray(values[..., 0] if values.shape[-1] == 1 else values)
    resized = np.array(picture.resize((width, height), Pillow.Resampling.LANCZOS)).astype(np.float32) / 255.0
    return torch.from_numpy(resized.reshape(height, width, -1))


def _cut(images: Tensor, aspect: float) -> Tensor:
    """The middle of the pictures with that width over height."""
    high, wide = images.shape[1:3]
    found = wide / high
    x = round((wide - wide * (aspect / found)) / 2) if found > aspect else 0
    y = round((high - high * (found / aspect)) / 2) if found < aspect else 0
    return images[:, y : high - y, x : wide - x]
