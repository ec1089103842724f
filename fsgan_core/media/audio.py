"""The sound of one video put into another: copied, or encoded anew where the container needs it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

ENCODERS = {"mp4": "aac", "mov": "aac", "webm": "libopus", "matroska": "libopus"}
"""What sound becomes that a container cannot hold."""
COPIED = {
    "mp4": ("aac", "mp3", "ac3", "eac3", "opus", "libopus", "flac", "alac"),
    "mov": ("aac", "mp3", "ac3", "eac3", "alac", "pcm_"),
    "webm": ("opus", "libopus", "vorbis"),
}
"""How the names of the decoders begin whose packets players of a container know; Matroska takes what it can."""
_BITS_A_CHANNEL = 96_000
_OPUS_RATE = 48_000
_LAYOUTS = ("mono", "stereo", "5.1", "7.1")
"""What both encoders know; others become stereo."""


class _Way(Protocol):
    def packets(self, packet: Packet[AudioStream]) -> Iterator[Packet[AudioStream]]: ...


class _Copied:
    """Packets pass unchanged."""

    def __init__(self, source: AudioStream, output: OutputContainer) -> None:
        self._stream = output.add_stream_from_template(source)
        self._last: int | None = None
        self._duration = 0

    def packets(self, packet: Packet[AudioStream]) -> Iterator[Packet[AudioStream]]:
        # The last packet of a stream has no time and only tells decoders to finish; no container takes one that
        # goes back in time.
        if packet.dts is not None and (self._last is None or packet.dts > self._last):
            # A last packet without a length would lie beyond the end of the track.
            self._duration = packet.duration = packet.duration or self._duration
            self._last = packet.dts
            packet.stream = self._stream
            yield packet


class _Encoded:
    """Packets are decoded and encoded; times are kept."""

    def __init__(self, source: AudioStream, output: OutputContainer) -> None:
        encoder = ENCODERS[output.format.name]
        rate = _OPUS_RATE if encoder == "libopus" else min(source.rate, _OPUS_RATE)
        layout = source.layout.name if source.layout.name in _LAYOUTS else "stereo"
        self._stream = cast(AudioStream, output.add_stream(encoder, rate=rate, layout=layout))
        self._stream.bit_rate = _BITS_A_CHANNEL * self._stream.layout.nb_channels
        self._source = source

    def packets(self, packet: Packet[AudioStream]) -> Iterator[Packet[AudioStream]]:
        try:
            samples = self._source.decode(packet)
        except av.error.InvalidDataError:
            return
        for part in samples:
            yield from self._stream.encode(part)
        if packet.dts is None:
            yield from self._stream.encode(None)


class AudioTracks:
    """All sound of a video, muxed into an output in step with its pictures.

    Nothing is cut: sound that begins before or ends after the pictures stays.
    """

    def __init__(self, path: Path, output: OutputContainer) -> None:
        """Add a stream to the output for every sound stream that can be read.

        Args:
            path: the video the sound comes from.
            output: an output that has not been written to.
        """
        self._output = output
        self._input = av.open(str(path), metadata_errors="replace")
        self._ways: dict[int, _Way] = {}
        if output.format.name in ENCODERS:
            for source in self._input.streams.audio:
                # A codec FFmpeg does not know has no context.
                if source.codec_context is not None:
                    self._ways[source.index] = _way(source, output)
        streams = [self._input.streams[index] for index in self._ways]
        self._packets: Iterator[Packet[Any]] = self._input.demux(*streams) if streams else iter(())
        self._next = self._following()

    def write_until(self, seconds: Fraction | None = None) -> None:
        """Mux what sounds up to a time; None: all that is left."""
        while self._next is not None and (seconds is None or _time(self._next) <= seconds):
            for packet in self._ways[self._next.stream.index].packets(self._next):
                self._output.mux(packet)
            self._next = self._following()

    def _following(self) -> Packet[Any] | None:
        try:
            return next(self._packets, None)
        except (av.error.InvalidDataError, av.error.EOFError):
            # The file is cut off; what sounded so far is kept.
            return None

    def close(self) -> None:
        """Close the video the sound comes from."""
        self._input.close()


def _way(source: AudioStream, output: OutputContainer) -> _Way:
    known = COPIED.get(output.format.name, tuple(output.supported_codecs))
    return _Copied(source, output) if source.codec_context.name.startswith(known) else _Encoded(source, output)


def _time(packet: Packet[AudioStream]) -> Fraction:
    """Seconds; 0 for the packet that ends a stream, which is never held back."""
    return packet.dts * packet.time_base if packet.dts is not None else Fraction(0)
