"""Segmentation along a track: each frame knows what was seen in the one before, so that thin things do not flicker."""

from __future__ import annotations

from concurrent.futures import Future

from torch import Tensor

from .glasses import Seen
from .open_segmentation import OpenSegmenter


class SteadySegmenter:
    """Our network for one frame of a track; see :class:`~fsgan_core.stages.segmentation.Segmenter`.

    Frames may be segmented at the same time: the network does not wait for the frame before, only what follows does.

    Args:
        segmenter: our network.
        before: what the frame before has seen; None in the first.
    """

    occluders = True

    def __init__(self, segmenter: OpenSegmenter, before: Future[Seen | None] | None = None) -> None:
        self._segmenter, self._before = segmenter, before
        self.seen: Future[Seen | None] = Future()

    def __call__(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """See :class:`~fsgan_core.stages.segmentation.Segmenter`."""
        before = self._before
        try:
            face, seen = self._segmenter.along(images, landmarks, before.result if before else lambda: None)
            if not self.seen.done():
                self.seen.set_result(seen)
        finally:
            self.end()
        return face

    def end(self) -> None:
        """The frame is through. If nothing was seen in it, because it has failed, nobody waits forever."""
        if not self.seen.done():
            self.seen.set_result(None)


class SegmentedTrack:
    """Gives the segmenters of a track's frames, which have to be asked for in order."""

    def __init__(self, segmenter: OpenSegmenter) -> None:
        self._segmenter = segmenter
        self._last: Future[Seen | None] | None = None

    def next(self) -> SteadySegmenter:
        """The segmenter of the next frame that shows the face."""
        found = SteadySegmenter(self._segmenter, self._last)
        self._last = found.seen
        return found
