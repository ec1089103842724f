"""How far the packets of a video reach, against what the file says: files are cut off, and decoders just stop."""

from __future__ import annotations

from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet

_SLACK = 0.1
"""Seconds by which whole files miss the length they state, at most; containers round, and sound is padded."""
_TAIL = 1.0
"""Seconds before the end of what is there up to which pictures have to come if some are to be missing after it."""


class Extent:
    """Seconds of a file seen so far, packet by packet.

    Packets of every stream count: the length that a file states is that of its longest one, often the sound.
    """

    def __init__(self, container: InputContainer, video: int) -> None:
        """Begin at the first packet.

        Args:
            container: just opened.
            video: number of the stream whose pictures are decoded.
        """
        self._length = (container.duration or 0) / av.time_base
        self._video = video
        self._start: float | None = None
        self._end = self._shown = 0.0

    def see(self, packet: Packet[Any]) -> None:
        """Take note of a packet of any stream."""
        if packet.pts is None or packet.time_base is None:
            return
        begin = float(packet.pts * packet.time_base)
        end = begin + float((packet.duration or 0) * packet.time_base)
        self._start = begin if self._start is None else min(self._start, begin)
        self._end = max(self._end, end)
        if packet.stream.index == self._video:
            self._shown = max(self._shown, end)

    def missing(self) -> float:
        """Seconds of pictures that the file states and lacks, once all its packets were seen; 0 where it is whole."""
        # Some containers count their length from the first packet, others from zero.
        absent = self._length - self._end + min(self._start or 0.0, 0.0)
        return absent if absent > _SLACK and self._shown > self._end - _TAIL else 0.0
