"""VIDEO as a clip that streams, whatever window of it is wanted, and results written with its sound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import host
from .telling import note

if TYPE_CHECKING:
    from ..fsgan_core.media import Video
    from ..fsgan_core.provenance import Marking
    from ..fsgan_core.streams import Frame


class Window:
    """The part of a video that its VIDEO input means; stands for a ``fsgan_core`` video when one is written.

    Attributes:
        path: where the sound comes from.
        pts: times of the window's frames so far, in ticks, beginning at 0.
    """

    def __init__(self, video: Video, start: float, duration: float, sound: Path) -> None:
        self.video, self.path = video, sound
        self.start, self.stop = start, start + duration if duration else float("inf")
        self.size, self.rate, self.time_base = video.size, video.rate, video.time_base
        self.colour, self.aspect = video.colour, video.aspect
        self.pts: list[int] = []
        whole, wished = video.frame_count_hint, round(duration * float(video.rate))
        self.frame_count_hint = min(wished, whole or wished) if duration else whole

    def __iter__(self) -> Iterator[Frame]:
        tick, count = float(self.time_base), 0
        for index, frame in enumerate(self.video):
            moment = self.video.pts[index] * tick
            if moment >= self.stop - tick / 2:
                return
            if moment < self.start - tick / 2:
                continue
            if count == len(self.pts):
                self.pts.append(self.video.pts[index] - round(self.start / tick))
            count += 1
            yield frame

    def moment(self, index: int) -> float:
        """Time in seconds of a frame that was decoded."""
        return float((self.pts[index] - self.pts[0]) * self.time_base)


@contextmanager
def opened(video: Any) -> Iterator[Window]:
    """A VIDEO as a clip; what has to be put on disk for it is gone when the block ends.

    What is then known to be wrong with its file goes into the node's report.

    Raises:
        MediaError: it cannot be read, or its window holds no frame.
    """
    from ..fsgan_core.errors import MediaError
    from ..fsgan_core.media import Video

    with ExitStack() as stack:
        start, duration = getattr(video, "get_active_trim_window", lambda: (0.0, 0.0))()
        if getattr(video, "has_pending_frame_edits", lambda: False)():
            path, start, duration = _saved(video, stack), 0.0, 0.0
        else:
            path = _source(video, stack)
        whole = Video(path)
        sound = path
        if start or duration:
            sound = stack.enter_context(_scratch(".mka"))
            sound = _cut_sound(path, sound, start, duration) or path
        window = Window(whole, start, duration, sound)
        if next(iter(window), None) is None:
            raise MediaError(f"the video has no frame from {start:g} s on for {duration:g} s; change its trim")
        yield window
        if whole.damage:
            note(f"the video {whole.damage}")


def written(frames: Iterable[Frame], like: Window, mark: Marking, quality: int) -> Any:
    """Write frames to a temporary MP4 with the times and the sound of a video: a VIDEO.

    Args:
        frames: the result, taken one at a time.
        like: the video it was made from.
        mark: what the file says of its making.
        quality: constant rate factor, 0 (best) to 51.
    """
    from ..fsgan_core.media import EncodeOptions, VideoWriter

    with host.temporary(".mp4") as path:
        options = EncodeOptions(quality=quality, preset="fast")
        with VideoWriter(path, like, options=options, marking=mark, overwrite=True) as writer:
            for frame in frames:
                writer.write(frame)
        return host.video(path)


def marking(video: Any) -> Marking | None:
    """What the file of a VIDEO says of its making; None where there is no file."""
    from ..fsgan_core.media import read_marking

    source = video.get_stream_source() if host.is_file(video) else None
    return read_marking(source) if isinstance(source, str) else None


def _source(video: Any, stack: ExitStack) -> Path:
    """The file of a VIDEO; one that lives in memory is put on disk."""
    source = video.get_stream_source() if hasattr(video, "get_stream_source") else None
    if isinstance(source, str):
        return Path(source)
    if not isinstance(source, BytesIO):
        return _saved(video, stack)
    path = stack.enter_context(_scratch(".video"))
    path.write_bytes(source.getbuffer())
    return path


def _saved(video: Any, stack: ExitStack) -> Path:
    path = stack.enter_context(_scratch(".mp4"))
    video.save_to(str(path))
    return path


@contextmanager
def _scratch(suffix: str) -> Iterator[Path]:
    with host.temporary(suffix) as path:
        yield path
    path.unlink(missing_ok=True)


def _cut_sound(path: Path, result: Path, start: float, duration: float) -> Path | None:
    """Copy the sound of a window, whole packets, so that it begins at 0; None where there is none."""
    import av

    with av.open(str(path), metadata_errors="replace") as source:
        tracks = [track for track in source.streams.audio if track.codec_context is not None]
        if not tracks:
            return None
        with av.open(str(result), "w", format="matroska") as output:
            copies = {track.index: output.add_stream_from_template(track) for track in tracks}
            for packet in source.demux(*tracks):
                if packet.pts is None or packet.dts is None:
                    continue
                moment = float(packet.pts * packet.time_base)
                if moment < start or (duration and moment >= start + duration):
                    continue
                shift = round(Fraction(start) / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = copies[packet.stream.index]
                output.mux(packet)
    return result
