"""Small media made on the spot, with PyAV alone, so that our writer is not its own witness."""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

TONE_RATE = 44_100


def pattern(index, size=(64, 48)):
    """A smooth picture whose four corners differ and whose blue tells its number."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    red, green = 40 + 150 * x / width, 40 + 150 * y / height
    return np.stack([red, green, np.full_like(red, 30 + 12 * index)], -1).astype(np.uint8)


def tone(seconds, start, rate=TONE_RATE):
    """Mono frames of a tone that begins at ``start``."""
    samples = np.sin(np.arange(int(seconds * rate)) * 440 * 2 * np.pi / rate).astype(np.float32) * 0.3
    for first in range(0, len(samples) - 1023, 1024):
        part = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="fltp", layout="mono")
        part.sample_rate, part.time_base = rate, Fraction(1, rate)
        part.pts = first + int(start * rate)
        yield part


def make_video(path, *, count=12, size=(64, 48), rate=25, pts=None, codec="libx264", **how):
    """Write a test video; ``how``: pixel_format, options, colour (matrix, range), sound (codec, start)."""
    output = av.open(str(path), "w")
    stream = output.add_stream(codec, rate=rate, options=how.get("options", {}))
    context = stream.codec_context
    context.width, context.height = size
    context.pix_fmt = pixel_format = how.get("pixel_format", "yuv420p")
    # AVI counts in frames.
    context.time_base = Fraction(1, rate if path.suffix == ".avi" else 600)
    matrix, colour_range = how.get("colour", (1, 1))
    if pixel_format.startswith("yuv"):
        context.colorspace, context.color_range = matrix, colour_range
    if "sound" in how:
        sound_codec, start = how["sound"]
        sound = output.add_stream(sound_codec, rate=48_000 if sound_codec == "libopus" else TONE_RATE, layout="mono")
    for index in range(count):
        picture = av.VideoFrame.from_ndarray(pattern(index, size), format="rgb24").reformat(
            format=pixel_format,
            src_colorspace=7,
            dst_colorspace=matrix,
            src_color_range=2,
            dst_color_range=colour_range,
        )
        picture.pts = pts[index] if pts else index * 600 // rate
        picture.time_base = Fraction(1, 600)
        output.mux(stream.encode(picture))
    output.mux(stream.encode(None))
    if "sound" in how:
        for part in tone(count / rate, start):
            output.mux(sound.encode(part))
        output.mux(sound.encode(None))
    output.close()
    return path


def sound_packets(path):
    """Every sound packet of a file: seconds and bytes."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux() if p.stream.type == "audio" and p.dts is not None]
        return [(p.pts * p.time_base, bytes(p)) for p in packets]


@pytest.fixture
def media():
    """The functions above, for tests (a conftest cannot be imported)."""
    return SimpleNamespace(make_video=make_video, pattern=pattern, sound_packets=sound_packets)


@pytest.fixture
def clip(tmp_path):
    """A plain video with sound that starts a little later than the pictures."""
    return make_video(tmp_path / "clip.mp4", sound=("aac", Fraction(1, 10)))
