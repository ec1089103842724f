"""The far outline of a turned nose, beyond which the cheek behind it begins.

From one to the other places jump, over the wing and the crease beside it, which the source shows and the nose hides
now. A coarse, continuous field would pass over all that within a pixel and show it as a second outline. So where places
jump from one pixel to the next the field is torn between these two: what is seen on either side keeps its own places,
each goes on as it is beyond the outline, and they are joined as colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..ops.boxes import bounding_boxes
from ..ops.face_model import FaceModel
from ..ops.flow import identity, sample, spread
from ..ops.masks import ramp, smoothstep
from ..ops.pooling import box_mean, length

_BASE, _TOP, _BOTTOM, _WIDE = -0.105, 0.0, 0.525, 0.26
"""Depth on the mean face (distances between the outer eye corners) before which the nose is, and where it is there."""
_REACH = 2
"""How many pixels of the field each part goes on beyond its first one outside."""
_HIDDEN = (0.8, 2.2)
"""Pixels of the field hidden from one pixel to the next from which on an outline begins to be torn, and wholly is: a
wing that is seen foreshortened loses less, and is drawn."""
_TURN = (8.0, 14.0)
"""The same in degrees of pose gap."""
_SHARP = 3.0
"""Pixels of the field per width of the seam between the two colours."""
_LITTLE = 0.01
"""A share that nobody sees."""


@dataclass(frozen=True)
class Outline:
    """A field torn along the far outline of a nose.

    Attributes:
        nose: ``(1, 2, F, F)`` places in the view's picture, gone on beyond the outline.
        behind: the same of what is behind the nose.
        inside: ``(1, 1, F, F)`` how far a pixel lies in the nose, in [0, 1].
        share: how far it is torn.
    """

    nose: Tensor
    behind: Tensor
    inside: Tensor
    share: Tensor

    @property
    def fields(self) -> tuple[Tensor, ...]:
        """All of them, in the order of the attributes."""
        return self.nose, self.behind, self.inside, self.share

    def at(self, places: Tensor) -> Outline:
        """The same looked at in places ``(1, 2, H, W)`` of the field."""
        return Outline(*sample(torch.cat(self.fields, 1), places).split((2, 2, 1, 1), 1))

    def draw(self, picture: Tensor, image: Tensor, scale: float, corner: tuple[float, float] = (0.0, 0.0)) -> None:
        """Draw nose and cheek along the outline anew, in an image in place.

        Args:
            picture: ``(1, 3, h, w)`` the view's.
            image: ``(1, 3, S, S)`` looked up in it.
            scale: pixels of the field per pixel of the image.
            corner: left and top of the image in the field.
        """
        here = bounding_boxes(self.share > _LITTLE)[0].tolist()
        limits = zip(here, 2 * corner, (-1, -1, 1, 1), strict=True)
        left, top, right, bottom = (
            min(max(round((edge + out - start) / scale), 0), image.shape[-1]) for edge, start, out in limits
        )
        if here[2] == 0 or left >= right or top >= bottom:
            return
        first = image.new_tensor((left * scale + corner[0], top * scale + corner[1]))[:, None, None]
        near = self.at(identity(bottom - top, right - left, image) * scale + first)
        nose, behind = (sample(picture, flow, "bicubic") for flow in (near.nose, near.behind))
        joined = torch.lerp(behind, nose, smoothstep(_SHARP * (near.inside - 0.5) + 0.5))
        image[..., top:bottom, left:right].lerp_(joined, near.share)


def torn(flow: Tensor, still: Tensor, number: Tensor, gap: float, model: FaceModel) -> Outline | None:
    """Tear a field along the outline of the nose, where that hides what the view shows.

    Args:
        flow: ``(1, 2, F, F)`` places in the view's picture.
        still: the same, had nothing but the whole face moved.
        number: ``(1, F, F)`` triangles drawn, -1 where there is none.
        gap: degrees between the two poses.
        model: the face model.
    """
    if gap <= _TURN[0]:
        return None
    turned = smoothstep(flow.new_tensor((gap - _TURN[0]) / (_TURN[1] - _TURN[0])))
    mask = (number >= 0)[:, None].to(flow.dtype)
    front = mask * _nose(model)[number.clamp_min(0)][:, None]
    size, box = flow.shape[-1], bounding_boxes(front)[0].tolist()
    left, top = (max(0, edge - _REACH - 2) for edge in box[:2])
    right, bottom = (min(size, edge + _REACH + 2) for edge in box[2:])
    part = (..., slice(top, bottom), slice(left, right))
    fields = _torn(flow[part], still[part], mask[part], front[part])
    around = (left, size - right, top, size - bottom)
    nose, behind, inside, share = functional.pad(torch.cat(fields, 1), around).split((2, 2, 1, 1), 1)
    return Outline(nose, behind, inside, turned * share)


def _torn(flow: Tensor, still: Tensor, mask: Tensor, front: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The fields of an :class:`Outline` around a nose; ``mask`` and ``front`` say where the face and the nose are."""
    parts = torch.cat((front, mask * (1 - front))) > 0
    ends, reached = spread((flow - still).expand(2, -1, -1, -1), parts, 1)
    inside = box_mean(front, 3)
    meet, step = reached.all(0, keepdim=True) * mask, still[0, 0, 0, 1] - still[0, 0, 0, 0]
    hidden = meet * ((ends[1:] - ends[:1]) * _outward(inside)).sum(1, keepdim=True) / step
    hidden, near = box_mean(torch.cat((hidden, meet), 1), 3).split(1, 1)
    much = ramp(hidden / near.clamp_min(1e-3), _HIDDEN)
    ends, _ = spread(ends, reached, _REACH)
    return ends[:1] + still, ends[1:] + still, inside, much


def _nose(model: FaceModel) -> Tensor:
    """Which triangles are of the nose, ``(T,)`` 0 or 1."""
    x, y, z = model.mean.unbind(1)
    points = (z < _BASE) & (x.abs() < _WIDE) & (y > _TOP) & (y < _BOTTOM)
    return points[model.triangles].all(1).to(model.mean.dtype)


def _outward(inside: Tensor) -> Tensor:
    """Directions ``(1, 2, F, F)`` out of a soft mask, of length 1 or 0."""
    near = functional.pad(inside, (1, 1, 1, 1), mode="replicate")
    right = near[..., 1:-1, 2:] - near[..., 1:-1, :-2]
    down = near[..., 2:, 1:-1] - near[..., :-2, 1:-1]
    slope = -torch.cat((right, down), 1)
    return slope / length(slope).clamp_min(1e-3)
