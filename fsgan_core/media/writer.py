"""Videos written like the one they come from: its times, its colours, its sound."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
from av import VideoFrame
from av.container import OutputContainer
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ..errors import MediaError
from ..provenance import DEFAULT_MARKING, Marking, to_xmp
from ..streams import Frame, checked_frame
from .audio import AudioTracks
from .encoding import (
    DEFAULT_OPTIONS,
    ENCODERS,
    PIXEL_FORMATS,
    EncodeOptions,
    encoder_options,
    needs_even,
    output_format,
    pixel_format,
)
from .files import check_output, staged
from .marking import MATROSKA_TAG, append_packet
from .pixels import Colour, from_frame, padded, to_palette
from .video import Video, ticks_a_frame

_TICKS_A_SECOND = 90_000


class VideoWriter:
    """Writes frames to a video file; a context manager.

    The file appears under its name when the block ends well; otherwise nothing remains. Frame ``i``
    is shown when frame ``i`` of ``like`` is, to the precision of the container (MP4 and MOV: exactly;
    Matroska and WebM: milliseconds, with all streams moved alike where one begins before 0; GIF:
    hundredths of a second). Where a codec needs even sizes (H.264 and HEVC with shared chroma), the
    last column or row is repeated once: no pixel moves, the video is one pixel wider or higher.
    Subtitles, chapters and data streams are left out; WebM keeps no pixel aspect.
    """

    def __init__(
        self,
        path: Path | str,
        like: Video | None = None,
        *,
        rate: Fraction | None = None,
        options: EncodeOptions = DEFAULT_OPTIONS,
        marking: Marking | None = DEFAULT_MARKING,
        overwrite: bool = False,
    ) -> None:
        """Check that the file can be written; nothing is written yet.

        Args:
            path: mp4, m4v, mov, mkv, webm or gif.
            like: the video whose times, colours and sound the new one takes, and at its size its pixel aspect.
            rate: frames a second where ``like`` is not given; default 25.
            options: codec, quality, preset, pixel format.
            marking: what to say of its making; None says nothing.
            overwrite: whether an existing file may be replaced.

        Raises:
            MediaError: unknown suffix or codec, or see :func:`fsgan_core.media.files.check_output`.
        """
        self.path = Path(path)
        self._like, self._options, self._marking, self._overwrite = like, options, marking, overwrite
        self._format, self._codec = output_format(self.path, options)
        self._inputs = (like.path,) if like else ()
        self.rate = like.rate if like else rate or Fraction(25)
        if not 0 < self.rate <= 1000:
            raise ValueError(f"rate is above 0 and at most 1000 frames a second, found {self.rate}")
        self.time_base = like.time_base if like else Fraction(1, _TICKS_A_SECOND)
        self.size: tuple[int, int] | None = None
        self._colour = _written_colour(like.colour) if like else Colour()
        self._converter = VideoReformatter()
        self._audio: AudioTracks | None = None
        self._count, self._last = 0, 0
        check_output(self.path, overwrite=overwrite, inputs=self._inputs)

    def __enter__(self) -> VideoWriter:
        with ExitStack() as stack:
            self._temporary = stack.enter_context(staged(self.path, overwrite=self._overwrite, inputs=self._inputs))
            with self._told():
                self._output: OutputContainer = av.open(
                    str(self._temporary), "w", format=self._format.name, container_options=self._muxer_options()
                )
            stack.callback(self._abandon)
            self._stack = stack.pop_all()
        return self

    def write(self, frame: Frame) -> None:
        """Append a frame.

        Args:
            frame: uint8 ``(H, W, 3)`` RGB, all of one size.

        Raises:
            ValueError: no frame, or of another size than the first.
            MediaError: the encoder or the disk refuses.
        """
        height, width, _ = checked_frame(frame).shape
        if self.size not in (None, (width, height)):
            raise ValueError(f"frames of a video have one size, found {width}x{height} after {self.size}")
        with self._told():
            picture = self._picture(frame)
            if self.size is None:
                self.size = (width, height)
                self._start(picture)
            picture.pts, picture.time_base = self._next_pts(), self.time_base
            self._output.mux(self._stream.encode(picture))
            if self._audio:
                self._audio.write_until(picture.pts * self.time_base)
        self._count, self._last = self._count + 1, picture.pts

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def _muxer_options(self) -> dict[str, str]:
        if self._format.name not in ("mp4", "mov"):
            return {}
        # Late starts are kept in ticks of the whole file, by default milliseconds.
        ticks = self.time_base.denominator
        return {"movflags": "+faststart", "movie_timescale": str(ticks * -(-_TICKS_A_SECOND // ticks))}

    def _start(self, picture: VideoFrame) -> None:
        """Add the streams; the size is known only now."""
        name, words = ENCODERS[self._codec], encoder_options(self._codec, self._options)
        self._stream = cast(VideoStream, self._output.add_stream(name, rate=self.rate, options=words))
        # SVT-AV1 tells its settings on stderr unless asked to tell errors only.
        os.environ.setdefault("SVT_LOG", "1")
        codec = self._stream.codec_context
        codec.width, codec.height, codec.pix_fmt = picture.width, picture.height, picture.format.name
        codec.time_base = self._stream.time_base = self.time_base
        codec.thread_type = "AUTO"
        if picture.format.name in PIXEL_FORMATS:
            codec.colorspace, codec.color_range = self._colour.matrix, self._colour.colour_range
            codec.color_primaries, codec.color_trc = self._colour.primaries, self._colour.transfer
        if self._codec == "hevc" and self._format.name != "matroska":
            # Apple's players know HEVC by this tag only.
            codec.codec_tag = "hvc1"
        if self._like:
            # Pictures of another size come from elsewhere: a portrait that moves like the video has square pixels.
            codec.sample_aspect_ratio = self._like.aspect if self.size == self._like.size else Fraction(1)
            self._audio = AudioTracks(self._like.path, self._output)
            self._stack.callback(self._audio.close)
        if self._marking:
            self._output.metadata["comment"] = self._marking.comment
            if self._format.name in ("matroska", "webm"):
                self._output.metadata[MATROSKA_TAG] = to_xmp(self._marking).decode()

    def _picture(self, frame: Frame) -> VideoFrame:
        if self._codec == "gif":
            return to_palette(frame)
        even = padded(frame, needs_even(self._codec, self._options))
        return from_frame(even, pixel_format(self._codec, self._options), self._colour, self._converter)

    def _next_pts(self) -> int:
        if self._like and self._count < len(self._like.pts):
            return self._like.pts[self._count]
        return self._last + ticks_a_frame(self.rate, self.time_base) if self._count else 0

    def _finish(self) -> None:
        if not self._count:
            raise MediaError(f"no frame to write to {self.path}; the clip is empty")
        with self._told():
            self._output.mux(self._stream.encode(None))
            if self._audio:
                self._audio.write_until()
            self._output.close()
            if self._marking:
                append_packet(self._temporary, to_xmp(self._marking))

    def _abandon(self) -> None:
        """Close the output whatever state it is in; after a good end this does nothing."""
        with suppress(av.error.FFmpegError):
            self._output.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            reason = error.strerror or error
            raise MediaError(f"cannot write {self.path} as {self._codec} ({reason})") from error


def _written_colour(colour: Colour) -> Colour:
    """RGB sources have no matrix; their output says BT.709."""
    return colour if colour.matrix not in (0, 3) else Colour()
