"""Pictures and videos as the commands take and give them: opened, watched, written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from ..errors import MediaError
from ..media import EncodeOptions, Image, Video, VideoWriter, check_output, is_video, read_image, write_image
from ..media.image import WRITABLE
from ..provenance import Marking
from ..streams import Clip, Frame, Still
from .flags import read_options
from .quality import report_files

T = TypeVar("T")
USUAL_RATE = Fraction(25)
"""Frames a second where nothing says otherwise."""


@dataclass(frozen=True)
class Input:
    """An opened file: a video, or a picture with what it carries besides its pixels."""

    path: Path
    clip: Video | Still
    image: Image | None = None

    @property
    def length(self) -> int:
        """Number of frames, 0 where a video does not say."""
        return self.video.frame_count_hint if self.video else 1

    @property
    def video(self) -> Video | None:
        """The clip, if it is a video."""
        return self.clip if isinstance(self.clip, Video) else None

    @property
    def notes(self) -> list[str]:
        """What is wrong with the file, as far as it was read."""
        if self.image is not None and self.image.count > 1:
            few = f"{self.path} holds {self.image.count} pictures, of which the first is used"
            return [f"{few}; a GIF or a video is used whole"]
        damage = self.video.damage if self.video else ""
        return [f"{self.path} {damage}"] if damage else []

    def moment(self, index: int) -> float:
        """Time in seconds of a frame that was decoded."""
        if self.video is None:
            return 0.0
        return float((self.video.pts[index] - self.video.pts[0]) * self.video.time_base)


@dataclass(frozen=True)
class Watched:
    """A clip whose every iteration shows its progress on a terminal."""

    clip: Clip
    words: str
    length: int = 0

    def __iter__(self) -> Iterator[Frame]:
        return iter(watched(self.clip, self.words, self.length))

    @property
    def size(self) -> tuple[int, int]:
        """See :class:`~fsgan_core.streams.Clip`."""
        return self.clip.size

    @property
    def rate(self) -> Fraction:
        """See :class:`~fsgan_core.streams.Clip`."""
        return self.clip.rate


def opened(path: Path) -> Input:
    """Open a picture or video.

    Raises:
        MediaError: it is neither, or damaged.
    """
    if is_video(path):
        return Input(path, Video(path))
    image = read_image(path)
    return Input(path, Still(image.frame), image)


def watched(items: Iterable[T], words: str, length: int = 0) -> Iterable[T]:
    """Pass items on, with a progress bar where stderr is a terminal."""
    bar: Iterable[T] = tqdm(items, words, length or None, leave=False, unit=" frames", disable=not sys.stderr.isatty())
    return bar


def check_result(args: argparse.Namespace, still: bool, inputs: Sequence[Path]) -> None:
    """Refuse an output before any work: its suffix, its folder, a file that is there.

    Args:
        args: with ``output``, ``overwrite`` and, where the command has it, ``report``.
        still: whether the result is a picture.
        inputs: files that are read.

    Raises:
        MediaError: it cannot, or must not, be written.
    """
    check_output(args.output, overwrite=args.overwrite, inputs=inputs)
    if not still:
        VideoWriter(args.output, options=read_options(args, EncodeOptions), overwrite=True)
    elif args.output.suffix.lower() not in WRITABLE:
        found = f"the result is a picture, which cannot be written as '{args.output.suffix}'"
        raise MediaError(f"{found}; use one of {', '.join(WRITABLE)}")
    for path in report_files(getattr(args, "report", None)):
        check_output(path, overwrite=args.overwrite, inputs=(*inputs, args.output), role="report")


def write_result(
    args: argparse.Namespace,
    frames: Iterable[Frame],
    mark: Marking,
    still: Image | None = None,
    like: Video | None = None,
    rate: Fraction = USUAL_RATE,
) -> None:
    """Write frames as a picture or a video, under a temporary name until all is well.

    Args:
        args: with ``output`` and ``overwrite``.
        frames: the result.
        mark: what the file says of its making.
        still: the result is a picture; what this one carries besides its pixels is kept.
        like: the video whose times and sound the result takes.
        rate: frames a second of a video that is like no other.
    """
    if still is not None:
        image = replace(still, frame=next(iter(frames)))
        write_image(args.output, image, overwrite=args.overwrite, marking=mark)
        return
    options, again = read_options(args, EncodeOptions), args.overwrite
    with VideoWriter(args.output, like, rate=rate, options=options, marking=mark, overwrite=again) as writer:
        for frame in frames:
            writer.write(frame)
