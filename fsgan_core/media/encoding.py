"""What a video is encoded with: containers, codecs, quality."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from ..errors import MediaError
from ..options import Range, check_ranges

Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]
"""From quick and large to slow and small."""
PRESETS = get_args(Preset)

PixelFormat = Literal["yuv420p", "yuv422p", "yuv444p"]
"""From what every player knows to colour at full resolution."""
PIXEL_FORMATS = get_args(PixelFormat)

Codec = Literal["auto", "h264", "hevc", "vp9", "av1", "ffv1", "gif"]
ENCODERS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1", "ffv1": "ffv1", "gif": "gif"}
"""FFmpeg's encoder by codec."""


@dataclass(frozen=True)
class Format:
    """A container: FFmpeg's name of it and the codecs it may hold, its default first."""

    name: str
    codecs: tuple[str, ...]


FORMATS = {
    ".mp4": Format("mp4", ("h264", "hevc", "av1", "vp9")),
    ".m4v": Format("mp4", ("h264", "hevc")),
    ".mov": Format("mov", ("h264", "hevc")),
    ".mkv": Format("matroska", ("h264", "hevc", "vp9", "av1", "ffv1")),
    ".webm": Format("webm", ("vp9", "av1")),
    ".gif": Format("gif", ("gif",)),
}
"""Container by suffix."""


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """How to encode a video."""

    codec: Codec = "auto"
    """auto is the container's usual; ffv1 is lossless RGB"""
    quality: Annotated[int, Range(0, 51)] = 18
    """constant rate factor on x264's scale, 0 is best; at 18 it is hardly told from the original"""
    preset: Preset = "medium"
    """effort of encoding: the slower, the smaller"""
    pixel_format: PixelFormat = "yuv420p"
    """how colours are stored; ffv1 and gif have their own"""

    def __post_init__(self) -> None:
        check_ranges(self)


DEFAULT_OPTIONS = EncodeOptions()


def output_format(path: Path, options: EncodeOptions) -> tuple[Format, str]:
    """Choose container and codec for a file.

    Raises:
        MediaError: the suffix is unknown, or its container cannot hold the codec asked for.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise MediaError(f"cannot write a video as '{path.suffix}'; use one of {', '.join(FORMATS)}")
    codec = form.codecs[0] if options.codec == "auto" else options.codec
    if codec not in form.codecs:
        raise MediaError(f"{path.suffix} cannot hold {codec}; use {' or '.join(form.codecs)}, or another suffix")
    return form, codec


def encoder_options(codec: str, options: EncodeOptions) -> dict[str, str]:
    """Express quality and preset in the encoder's own words."""
    effort = PRESETS.index(options.preset)
    if codec == "h264":
        return {"crf": str(options.quality), "preset": options.preset}
    if codec == "hevc":
        return {"crf": str(options.quality), "preset": options.preset, "x265-params": "log-level=none"}
    # The scales of these two run to 63.
    quality = str(round(options.quality * 63 / 51))
    if codec == "vp9":
        return {"crf": quality, "b": "0", "cpu-used": str(8 - effort), "deadline": "good", "row-mt": "1"}
    if codec == "av1":
        return {"crf": quality, "preset": str(12 - effort)}
    return {}


def pixel_format(codec: str, options: EncodeOptions) -> str:
    """Name the pixel format a codec is given."""
    return {"ffv1": "bgr0", "gif": "pal8"}.get(codec, options.pixel_format)


def needs_even(codec: str, options: EncodeOptions) -> tuple[bool, bool]:
    """Say whether width and height must be even: H.264 and HEVC crop in whole chroma samples."""
    if codec not in ("h264", "hevc"):
        return False, False
    return options.pixel_format != "yuv444p", options.pixel_format == "yuv420p"
