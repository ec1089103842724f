"""Lifts a portrait's colours onto the sheet of its head, completes what the photo hides, and estimates its light."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops.flow import sample
from ..ops.mesh import interpolate, rasterize
from ..ops.poisson import harmonic_fill, poisson_blend
from .rig import CHART, LEFT_BALL, PATCH, RIGHT_BALL, SHEET, SKIN, TEETH, Rig, plain_place
from .sphere_light import estimate_light, outward

FACING = 0.35
"""Least cosine to the camera of skin whose colours are taken from the photo."""
TOLERANCE = 0.03
"""How far behind the nearest surface a place still counts as visible, in canonical units."""
PLAIN = ((0.86, 0.80, 0.72), (0.62, 0.30, 0.29), (0.40, 0.15, 0.14))
"""Colours of teeth, gums with tongue, and throat in white light, sRGB."""
LEAST = 80
"""Texels of an eyeball that must be seen; else it is taken for the other one's mirror image."""
IRIS = 0.39
"""Radius of the iris relative to the eyeball's."""


@dataclass(frozen=True)
class Lifted:
    """Colours of heads.

    Attributes:
        sheet: ``(B, 3, h, w)`` in [0, 1].
        seen: ``(B, 1, h, w)`` bool, texels that the photo shows.
        light: ``(B, 9, 3)`` spherical harmonics of the light, see :func:`sphere_light.shading`.
    """

    sheet: Tensor
    seen: Tensor
    light: Tensor


def lift(rig: Rig, photo: Tensor, valid: Tensor, vertices: Tensor, scale: Tensor) -> Lifted:
    """Take the colours of photos.

    Args:
        rig: the head.
        photo: ``(B, 3, H, W)`` in [0, 1].
        valid: ``(B, 1, H, W)`` bool, pixels that may be used.
        vertices: ``(B, V, 3)`` the fitted heads in pixels of the photos.
        scale: ``(B,)`` pixels per canonical unit.
    """
    normals = outward(vertices, rig.triangles[rig.parts == SKIN])
    outer = rig.triangles[rig.parts <= LEFT_BALL]
    texels = torch.cat((rig.place, rig.place[:, :1]), 1)[None]
    number, weights = (part.expand(len(photo), *part.shape[1:]) for part in rasterize(texels, outer, *SHEET))
    where, facing = interpolate(torch.cat((vertices, -normals[..., 2:]), 2), outer, number, weights).split((3, 1), 1)
    depth = _depths(vertices, outer, photo.shape[-2:])
    near = sample(depth, where[:, :2], "nearest") + TOLERANCE * scale[:, None, None, None]
    shown = (where[:, 2:] <= near) & (number >= 0)[:, None] & (sample(valid.to(photo.dtype), where[:, :2]) > 0.99)
    facing = torch.where(_eyes(photo), 1.0, facing)
    seen = shown & (facing > 0.05)
    sure = -F.max_pool2d(-(seen & (facing > FACING)).to(photo.dtype), 5, 1, 2) > 0
    sure |= _eyes(photo) & (-F.max_pool2d(-seen.to(photo.dtype), 3, 1, 1) > 0)
    colors = sample(photo, where[:, :2])
    light = estimate_light(photo, vertices, normals, depth, _even_skin(rig))
    return Lifted(_completed(colors, sure), seen, light)


def _depths(vertices: Tensor, triangles: Tensor, size: torch.Size) -> Tensor:
    """Nearest depth at each pixel ``(B, 1, H, W)``, infinite where there is nothing."""
    number, weights = rasterize(vertices, triangles, *size)
    depth = interpolate(vertices[..., 2:], triangles, number, weights)
    return torch.where((number >= 0)[:, None], depth, 1e6)


def _even_skin(rig: Rig) -> Tensor:
    """The skin's vertices ``(N,)`` of cheeks, nose and forehead: even in colour on most faces."""
    u, v = (rig.place / rig.place.new_tensor((CHART, SHEET[0]))).unbind(1)
    skin = torch.zeros_like(u, dtype=torch.bool)
    skin[rig.triangles[rig.parts == SKIN]] = True
    even = (u - 0.5).abs() < 0.42
    even &= ((v > 0.06) & (v < 0.17)) | ((v > 0.4) & (v < 0.62))
    return (skin & even).nonzero()[:, 0]


def _eyes(like: Tensor) -> Tensor:
    """The eyeballs' patches of a sheet ``(1, 1, h, w)`` bool."""
    patch = torch.zeros(1, 1, *SHEET, dtype=torch.bool, device=like.device)
    patch[..., : 2 * PATCH, CHART:] = True
    return patch


def _completed(colors: Tensor, sure: Tensor) -> Tensor:
    """Sheets ``(B, 3, h, w)``: skin from its mirror image or continued, eyeballs from their rings, plain rest."""
    sheet = torch.zeros_like(colors)
    sheet[..., :CHART] = _completed_skin(colors[..., :CHART], sure[..., :CHART])
    right, left = (slice((ball - 1) * PATCH, ball * PATCH) for ball in (RIGHT_BALL, LEFT_BALL))
    for rows, others in ((right, left), (left, right)):
        own, twin = (torch.cat((colors, sure), 1)[..., part, CHART:] for part in (rows, others))
        shown = own[:, 3:].sum((2, 3), keepdim=True) > LEAST
        eye = torch.where(shown, own, twin.flip(3))
        sheet[..., rows, CHART:] = _completed_ball(eye[:, :3], eye[:, 3:] > 0)
    for number, color in enumerate(PLAIN):
        y = int(plain_place(TEETH + number)[1])
        sheet[..., y - 8 : y + 8, CHART:] = colors.new_tensor(color)[:, None, None]
    return sheet


def _completed_skin(colors: Tensor, sure: Tensor) -> Tensor:
    # Details of the other side, fitted to this side's light at the border of what is seen.
    mirrored = harmonic_fill(colors, (~sure).to(colors.dtype)).flip(3)
    return poisson_blend(mirrored, colors, (~sure).to(colors.dtype)).clamp(0, 1)


def _completed_ball(colors: Tensor, sure: Tensor) -> Tensor:
    """An eyeball ``(B, 3, P, P)``: hidden parts of the iris take the mean of their ring, the white continues."""
    step = (torch.arange(PATCH, device=colors.device) + 0.5 - PATCH / 2) / (PATCH / 2 - 2)
    radius = torch.hypot(step[:, None], step[None])
    ring = (radius * PATCH / 2).long().clamp_max(PATCH - 1).flatten()
    weight = sure.flatten(2).to(colors.dtype)
    total = torch.zeros(len(colors), 4, PATCH, device=colors.device)
    values = torch.cat((colors.flatten(2) * weight, weight), 1)
    total = total.index_add(2, ring, values)
    known = total[:, 3:] >= 3
    means = total[:, :3] / total[:, 3:].clamp_min(1e-6)
    inner = (radius < 1.05 * IRIS) & known[..., ring].view(-1, 1, PATCH, PATCH)
    filled = torch.where(sure, colors, means[..., ring].view_as(colors))
    return harmonic_fill(filled, (~(sure | inner)).to(colors.dtype))
