"""Decoded pictures to RGB frames and back: matrix, range, orientation, odd sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from av import VideoFrame
from av.video.reformatter import VideoReformatter
from PIL import Image as Pillow

from ..streams import Frame

UNSPECIFIED = 2
"""Code of matrix, primaries and transfer where a file does not say."""
BT709, BT601, BT2020 = 1, 5, 9
LIMITED, FULL = 1, 2
_OTHER = 4
"""A matrix for the RGB side, which has none: differs from any real one, lest the conversion is thought idle."""
_ACCURATE = 2 | 0x2000 | 0x4000 | 0x40000
"""swscale: bilinear, chroma at full width both ways, accurate rounding (error within half a level)."""


@dataclass(frozen=True, kw_only=True)
class Colour:
    """How a video's samples stand for colours, as codes of ITU-T H.273."""

    matrix: int = BT709
    """Matrix coefficients; default BT.709."""
    colour_range: int = LIMITED
    """0 unsaid, 1 limited (16 to 235), 2 full; default limited."""
    primaries: int = BT709
    """Colour primaries, passed on; default BT.709."""
    transfer: int = BT709
    """Transfer characteristics, passed on; default BT.709."""

    def matrix_for(self, height: int) -> int:
        """Matrix to compute with: the file's, or what players assume where it does not say."""
        same = {BT709: BT709, BT601: BT601, 6: BT601, 7: 7, BT2020: BT2020, 10: BT2020}
        return same.get(self.matrix, BT709 if height > 576 else BT601)

    @property
    def is_full(self) -> bool:
        """Whether samples use the whole range."""
        return self.colour_range == FULL


@dataclass(frozen=True, kw_only=True)
class Orientation:
    """How a stored picture is turned for display: transposed first, then flipped."""

    transposed: bool = False
    """Rows become columns; default not."""
    upside_down: bool = False
    """Row order reversed; default not."""
    mirrored: bool = False
    """Column order reversed; default not."""

    def apply(self, frame: Frame) -> Frame:
        """Turn a frame; the result is contiguous and may share memory with the frame."""
        turned = frame.swapaxes(0, 1) if self.transposed else frame
        turned = turned[::-1] if self.upside_down else turned
        return np.ascontiguousarray(turned[:, ::-1] if self.mirrored else turned)


def orientation_of(picture: VideoFrame) -> Orientation:
    """Read the display matrix of a decoded picture, to the nearest quarter turn.

    The matrix maps stored x, y to shown (a x + c y, b x + d y).
    """
    data: Any = picture.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Orientation()
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(data), np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(transposed=True, upside_down=b < 0, mirrored=c < 0)
    return Orientation(upside_down=d < 0, mirrored=a < 0)


def colour_of(picture: VideoFrame) -> Colour:
    """Read matrix and range of a decoded picture."""
    full = picture.format.name.startswith(("yuvj", "gray")) and picture.color_range == 0
    return Colour(
        matrix=int(picture.colorspace),
        colour_range=FULL if full else int(picture.color_range),
        primaries=UNSPECIFIED,
        transfer=UNSPECIFIED,
    )


def to_frame(picture: VideoFrame, size: tuple[int, int], converter: VideoReformatter) -> Frame:
    """Convert a decoded picture to a frame that nobody else holds.

    Args:
        picture: in any pixel format.
        size: width and height wanted; a stream that changes its size is scaled.
        converter: kept by the caller from frame to frame.
    """
    if picture.format.name == "rgb24" and (picture.width, picture.height) == size:
        return np.array(picture.to_ndarray())
    colour = colour_of(picture)
    converted = converter.reformat(
        picture,
        *size,
        format="rgb24",
        src_colorspace=colour.matrix_for(picture.height),
        dst_colorspace=_OTHER,
        src_color_range=FULL if colour.is_full else LIMITED,
        dst_color_range=FULL,
        interpolation=_ACCURATE,
    )
    return np.ascontiguousarray(converted.to_ndarray())


def from_frame(frame: Frame, pixel_format: str, colour: Colour, converter: VideoReformatter) -> VideoFrame:
    """Convert a frame to a picture for an encoder.

    Args:
        frame: uint8 ``(H, W, 3)`` RGB.
        pixel_format: FFmpeg's name, such as ``yuv420p``.
        colour: matrix and range to convert to.
        converter: kept by the caller from frame to frame.
    """
    picture = VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    return converter.reformat(
        picture,
        format=pixel_format,
        src_colorspace=_OTHER,
        dst_colorspace=colour.matrix_for(frame.shape[0]),
        src_color_range=FULL,
        dst_color_range=FULL if colour.is_full else LIMITED,
        interpolation=_ACCURATE,
    )


def to_palette(frame: Frame) -> VideoFrame:
    """Reduce a frame to 256 colours of its own, dithered."""
    full = Pillow.fromarray(frame)
    reduced = full.quantize(256)
    colours = np.zeros((256, 4), np.uint8)
    listed = np.array(reduced.getpalette(), np.uint8).reshape(-1, 3)
    colours[: len(listed), 1:] = listed
    colours[:, 0] = 255
    indexed: Any = (np.asarray(full.quantize(palette=reduced)), colours)
    return VideoFrame.from_ndarray(indexed, format="pal8")


def padded(frame: Frame, even: tuple[bool, bool]) -> Frame:
    """Repeat the last column (row) where an odd width (height) must be even; no pixel moves."""
    height, width, _ = frame.shape
    right, bottom = width % 2 if even[0] else 0, height % 2 if even[1] else 0
    return np.pad(frame, ((0, bottom), (0, right), (0, 0)), "edge") if right or bottom else frame
