"""Videos as clips: decoded anew at each iteration, one frame at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ..errors import MediaError
from ..streams import Frame
from ..words import plural
from .extent import Extent
from .files import check_input
from .image import WRITABLE
from .picture import LARGEST_PICTURE, is_picture
from .pixels import colour_of, orientation_of, to_frame

_USUAL_RATE = Fraction(25)


class Video:
    """A video file as a clip.

    Frames come upright (display matrix applied), uint8 RGB, at the stored size whatever the sample
    aspect ratio, in the order of presentation. Pictures that cannot be decoded are left out and
    counted. Every iteration opens the file anew and holds one frame at a time.

    Attributes:
        path: the file.
        size: width and height of the upright frames.
        rate: mean frames a second; says nothing of single frames where the rate varies.
        time_base: seconds a tick.
        pts: presentation time in ticks of every frame decoded so far, strictly ascending; filled
            while frames are iterated.
        missing: frames, about, that were cut off at its end by its own account; known once it was iterated to there.
        frame_count_hint: how many frames the file says it has, 0 where it does not; for progress only.
        colour: how its samples stand for colours.
        aspect: width over height of an upright pixel.
    """

    def __init__(self, path: Path | str) -> None:
        """Open a video and decode its first frame.

        Args:
            path: mp4, mov, mkv, webm, avi, gif... by content, whatever the suffix.

        Raises:
            MediaError: missing, a folder, empty, no video, without a picture that can be decoded, or
                above ``LARGEST_PICTURE``.
        """
        self.path = Path(path)
        self.pts: list[int] = []
        self.missing = 0
        self._broken: dict[int, int] = {}
        check_input(self.path)
        with self._opened() as container:
            stream = self._stream(container)
            self.rate = _rate(stream)
            self.time_base: Fraction = stream.time_base or 1 / self.rate
            self.frame_count_hint = _frame_count(container, stream)
            first = next(self._pictures(container), None)
            if first is None:
                raise MediaError(f"{self.path} holds no picture that can be decoded; it is empty or damaged")
            codec = stream.codec_context
            self.colour = replace(colour_of(first), primaries=codec.color_primaries, transfer=codec.color_trc)
            self._orientation = orientation_of(first)
            self._stored_size = (first.width, first.height)
            aspect = stream.sample_aspect_ratio or Fraction(1)
        width, height = self._stored_size
        self.size = (height, width) if self._orientation.transposed else (width, height)
        self.aspect = 1 / aspect if self._orientation.transposed and aspect else aspect

    def __iter__(self) -> Iterator[Frame]:
        converter = VideoReformatter()
        with self._opened() as container:
            for index, picture in enumerate(self._pictures(container)):
                if index == len(self.pts):
                    self.pts.append(self._next_pts(picture.pts))
                yield self._frame(picture, converter)

    @property
    def skipped(self) -> int:
        """Broken pictures known to be left out, each counted once, however often the video is iterated."""
        return sum(self._broken.values())

    @property
    def damage(self) -> str:
        """What is wrong with the file, as words that follow its name; empty while nothing is known to be."""
        found = len(self.pts)
        cut = f"seems cut off: found {found} of about {plural(found + self.missing, 'frame')}" if self.missing else ""
        broken = f"has {plural(self.skipped, 'broken picture')}, left out" if self.skipped else ""
        return ", and ".join(words for words in (cut, broken) if words)

    def _frame(self, picture: av.VideoFrame, converter: VideoReformatter) -> Frame:
        try:
            return self._orientation.apply(to_frame(picture, self._stored_size, converter))
        except av.error.FFmpegError as error:
            raise MediaError(f"{self.path} holds {picture.format.name} pictures, which cannot be converted") from error

    def _next_pts(self, pts: int | None) -> int:
        """Trust a time that goes forward; otherwise go on at the mean rate."""
        if not self.pts:
            return pts or 0
        last = self.pts[-1]
        return pts if pts is not None and pts > last else last + ticks_a_frame(self.rate, self.time_base)

    def _opened(self) -> InputContainer:
        try:
            return av.open(str(self.path), metadata_errors="replace")
        except (av.error.FFmpegError, ValueError) as error:
            reason = _reason(error) + _clue(self.path)
            raise MediaError(f"{self.path} is not a video that can be read ({reason})") from error

    def _stream(self, container: InputContainer) -> VideoStream:
        for stream in container.streams.video:
            if stream.disposition & Disposition.attached_pic:
                continue
            if stream.codec_context is None:
                raise MediaError(f"{self.path} holds video in an unknown codec; convert it to H.264")
            if stream.width * stream.height > LARGEST_PICTURE:
                raise MediaError(f"{self.path} is {stream.width}x{stream.height}, too large; scale it down")
            return stream
        kinds = sorted({stream.type for stream in container.streams})
        raise MediaError(f"{self.path} holds no video (found: {', '.join(kinds) or 'nothing'}); name a video")

    def _pictures(self, container: InputContainer) -> Iterator[av.VideoFrame]:
        stream = self._stream(container)
        stream.thread_type = "AUTO"
        for number, packet in enumerate(self._packets(container, stream)):
            try:
                pictures = stream.decode(packet)
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self._broken[number] = 1
                continue
            if broken := sum(picture.is_corrupt for picture in pictures):
                self._broken[number] = broken
            yield from (picture for picture in pictures if not picture.is_corrupt)

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
        """All packets of the pictures, then None, which asks the decoder for what it still holds."""
        extent = Extent(container, stream.index)
        try:
            for packet in container.demux():
                extent.see(packet)
                if packet.stream.index == stream.index:
                    yield cast("Packet[VideoStream]", packet)
        except (av.error.InvalidDataError, av.error.EOFError):
            self._broken[-1] = 1
        except av.error.FFmpegError as error:
            raise MediaError(f"{self.path} cannot be read to its end ({_reason(error)})") from error
        self.missing = round(extent.missing() * self.rate)
        yield None


def is_video(path: Path | str) -> bool:
    """Say by content whether a file is a video (or moving GIF) rather than a picture.

    Raises:
        MediaError: it is missing, a folder, empty, or neither.
    """
    path = Path(path)
    if is_picture(path):
        return False
    try:
        Video(path)
    except MediaError as error:
        if path.suffix.lower() in WRITABLE:
            raise MediaError(f"{path} holds no picture, though it is named as one; get or save it again") from error
        raise MediaError(f"{error} and it is no picture") from error
    return True


def ticks_a_frame(rate: Fraction, time_base: Fraction) -> int:
    """Length of a frame at a constant rate, in ticks of ``time_base``, at least 1."""
    return max(1, round(1 / (rate * time_base)))


def _rate(stream: VideoStream) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= 1000:
            return rate
    return _USUAL_RATE


def _frame_count(container: InputContainer, stream: VideoStream) -> int:
    if stream.frames > 0:
        return stream.frames
    if stream.duration and stream.time_base:
        seconds = stream.duration * stream.time_base
    else:
        seconds = Fraction(container.duration or 0, av.time_base)
    return max(0, round(seconds * _rate(stream)))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _clue(path: Path) -> str:
    """What is likely wrong with a file that cannot be opened: an MP4 or MOV has its index at the end."""
    with path.open("rb") as file:
        return "; it seems cut off before its index; copy it again" if file.read(12)[4:8] == b"ftyp" else ""
