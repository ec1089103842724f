"""Draws rigged heads with their portraits' colours: any pose, expression and light, with exact labels.

Two layers: below, the photo bent by the moved landmarks and the rings around the head, so that hair and background
stay real; above, the skin, eyes and where needed the mouth in three dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..ops.face_model import FaceModel
from ..ops.flow import identity, reflected, sample
from ..ops.head_mesh import Placement, points
from ..ops.head_rings import head_rings, ring_triangles
from ..ops.mesh import facing, interpolate, rasterize
from ..stages.openings import MOUTH, openness
from .face_labels import FACE, HAIR, UNKNOWN
from .head_fit import expressed, posed
from .heads import Heads
from .rig import LEFT_BALL, TEETH, Rig, landmarks
from .sphere_light import outward, shading

COARSE = 2
"""The lower layer's flow is drawn at 1 / this size: it is smooth, and its triangles are large."""
TOLERANCE = 0.03
"""How far behind the nearest surface a place still counts as visible, in canonical units."""

RATIOS = (0.3, 3.0)
"""Least and largest change of the linear light on skin; more would show the noise of photos."""


@dataclass(frozen=True)
class View:
    """How to draw heads. Poses are in the frame of their photos, of which a square is then cut.

    Attributes:
        shape: ``(B, V, 3)`` canonical heads with their expressions, see :func:`head_fit.expressed`.
        scale: ``(B,)`` pixels of the photo per canonical unit.
        rotation: ``(B, 3, 3)``.
        translation: ``(B, 3)`` pixels of the photo.
        origin: ``(B, 2)`` left and top of the square in pixels of the photo.
        zoom: ``(B,)`` pixels of the result per pixel of the photo.
        light: ``(B, 9, 3)`` spherical harmonics, or none to keep the photo's shading on the skin.
    """

    shape: Tensor
    scale: Tensor
    rotation: Tensor
    translation: Tensor
    origin: Tensor
    zoom: Tensor
    light: Tensor | None = None


@dataclass(frozen=True)
class Surface:
    """What a view shows of the skin, eyes and mouth.

    Attributes:
        vertices: ``(B, V, 3)`` in pixels of the result.
        number: ``(B, S, S)`` triangles, -1 where there is none.
        weights: ``(B, S, S, 3)`` barycentric coordinates.
        depth: ``(B, 1, S, S)``, 1e6 where there is nothing.
        landmarks: ``(B, 478, 3)`` in pixels of the result.
        unit: ``(B,)`` pixels of the result per canonical unit.
    """

    vertices: Tensor
    number: Tensor
    weights: Tensor
    depth: Tensor
    landmarks: Tensor
    unit: Tensor


@dataclass(frozen=True)
class Drawing:
    """A drawn picture with its labels.

    Attributes:
        image: ``(B, 3, S, S)`` in [0, 1].
        labels: ``(B, 1, S, S)`` uint8: face, hair, rest or unknown as :mod:`face_labels` numbers them.
        seen: ``(B, 1, S, S)`` in [0, 1]: how far a pixel's colour comes from the photo and was not made up.
        surface: the geometry.
    """

    image: Tensor
    labels: Tensor
    seen: Tensor
    surface: Surface


def own_view(rig: Rig, heads: Heads, origin: Tensor, zoom: Tensor) -> View:
    """The view that the photos themselves show."""
    shape = expressed(rig, heads.neutral.float(), heads.gain, heads.expression)
    return View(shape, heads.scale, heads.rotation, heads.translation, origin, zoom)


def surface(rig: Rig, view: View, size: int, mouth: Tensor | None = None) -> Surface:
    """Draw the geometry alone.

    Args:
        rig: the head.
        view: what to draw.
        size: side S of the result.
        mouth: ``(B,)`` bool, in which heads teeth, gums and throat are drawn; in none when not given.
    """
    unit = view.scale * view.zoom
    shift = torch.cat((view.translation[:, :2] - view.origin, view.translation[:, 2:]), 1)
    vertices = posed(view.shape, unit, view.rotation, shift * view.zoom[:, None])
    keep = facing(vertices, rig.triangles) > 0
    keep &= (rig.parts <= LEFT_BALL) | (False if mouth is None else mouth[:, None])
    number, weights = rasterize(vertices, rig.triangles, size, size, keep)
    depth = interpolate(vertices[..., 2:], rig.triangles, number, weights)
    depth = torch.where((number >= 0)[:, None], depth, 1e6)
    return Surface(vertices, number, weights, depth, landmarks(rig, vertices), unit)


def draw(rig: Rig, model: FaceModel, heads: Heads, view: View, size: int) -> Drawing:
    """Draw heads.

    Args:
        rig: the head.
        model: the bundled face model.
        heads: B heads.
        view: how to draw them.
        size: side S of the result.
    """
    shape = (heads.points - heads.translation[:, None]) @ heads.rotation / heads.scale[:, None, None]
    before = Placement(shape, heads.scale, heads.rotation, heads.translation)
    after = Placement(landmarks(rig, view.shape), view.scale, view.rotation, view.translation)
    opened = openness(after.shape, MOUTH) > 0.012 + 1.6 * openness(before.shape, MOUTH)
    drawn = surface(rig, view, size, opened)
    flow = reflected(_bent(model, before, after, view, size), heads.photo)
    below = sample(*shrunk(heads.photo, flow, view.zoom))
    color, alpha, seen = _skin(rig, heads, view, drawn)
    _paint_mouth(rig, heads, drawn, opened, (color, alpha, seen))
    under = sample(heads.labels.float(), flow, "nearest")
    skin = (alpha > 0.5) & (under != HAIR) & (under != UNKNOWN)
    labels = torch.where(skin, float(FACE), under).to(torch.uint8)
    color, soft = _smooth_edges(color, alpha, drawn)
    return Drawing(torch.lerp(below, color, soft), labels, torch.lerp(torch.ones_like(seen), seen, alpha), drawn)


def photograph(rig: Rig, heads: Heads, origin: Tensor, zoom: Tensor, size: int) -> Drawing:
    """Squares of the photos themselves, with the same labels as drawings have."""
    view = own_view(rig, heads, origin, zoom)
    still = identity(size, size, zoom) / zoom[:, None, None, None] + origin[..., None, None]
    flow = reflected(still, heads.photo)
    labels = sample(heads.labels.float(), flow, "nearest").to(torch.uint8)
    image = sample(*shrunk(heads.photo, flow, zoom))
    return Drawing(image, labels, torch.ones_like(image[:, :1]), surface(rig, view, size))


def shrunk(picture: Tensor, flow: Tensor, zoom: Tensor) -> tuple[Tensor, Tensor]:
    """A picture ``(B, C, h, w)`` of bytes as floats, and a flow into it, both reduced so that nothing is skipped.

    Args:
        picture: uint8.
        flow: ``(B, 2, H, W)`` into it.
        zoom: ``(B,)`` pixels of the result per pixel of the picture.
    """
    step = max(1, round(0.8 / float(zoom.mean())))
    values = picture.float() / 255
    return (values, flow) if step == 1 else (F.avg_pool2d(values, step), flow / step)


def correspond(rig: Rig, target: Surface, source: Surface) -> tuple[Tensor, Tensor]:
    """Where each pixel of the target's skin lies in the source, and whether the source shows it.

    Args:
        rig: the head.
        target: what is asked about.
        source: of the same heads.

    Returns:
        ``(B, 2, S, S)`` x, y in pixels of the source and ``(B, 1, S, S)`` bool; both 0 off the skin and eyes.
    """
    place = interpolate(source.vertices, rig.triangles, target.number, target.weights)
    size = source.depth.shape[-1]
    # On steep skin the depth changes a lot from one pixel to the next: the farthest of nine decides.
    depth = F.max_pool2d(torch.where(source.number[:, None] < 0, -1e6, source.depth), 3, 1, 1)
    near = sample(depth, place[:, :2], "nearest") + TOLERANCE * source.unit[:, None, None, None]
    within = ((place[:, :2] >= 0) & (place[:, :2] <= size)).all(1, keepdim=True)
    skin = (target.number >= 0) & (rig.parts[target.number.clamp_min(0)] <= LEFT_BALL)
    return place[:, :2], within & (place[:, 2:] <= near) & skin[:, None]


def _bent(model: FaceModel, before: Placement, after: Placement, view: View, size: int) -> Tensor:
    """The lower layer's flow ``(B, 2, S, S)`` into the photo."""
    start, end = (
        torch.cat(both, 1) for both in zip((points(before), points(after)), head_rings(before, after), strict=True)
    )
    zoom = view.zoom[:, None, None] / COARSE
    end = torch.cat(((end[..., :2] - view.origin[:, None]) * zoom, end[..., 2:]), 2)
    rings = ring_triangles(end.device) + before.shape.shape[1]
    triangles = torch.cat((model.triangles, rings))
    number, weights = rasterize(end, triangles, size // COARSE, size // COARSE)
    flow = interpolate(start[..., :2], triangles, number, weights)
    y, x = torch.meshgrid(*(torch.arange(size // COARSE, device=end.device) + 0.5,) * 2, indexing="ij")
    still = torch.stack((x, y)) / zoom[..., None] + view.origin[..., None, None]
    flow = torch.where((number >= 0)[:, None], flow, still)
    return F.interpolate(flow, (size, size), mode="bilinear", align_corners=False)


def _skin(rig: Rig, heads: Heads, view: View, drawn: Surface) -> tuple[Tensor, Tensor, Tensor]:
    """Colour ``(B, 3, S, S)``, opacity and origin in the photo ``(B, 1, S, S)`` of skin and eyes."""
    count = len(heads.photo)
    place = interpolate(rig.place.expand(count, -1, -1), rig.triangles, drawn.number, drawn.weights)
    found = sample(*shrunk(torch.cat((heads.sheet, heads.seen), 1), place, view.zoom))
    alpha = sample(rig.fade, place) * (drawn.number >= 0)[:, None]
    color = found[:, :3]
    if view.light is not None:
        ratio = _relit(rig, heads, view.light, drawn)
        color = (color * interpolate(ratio, rig.triangles, drawn.number, drawn.weights)).clamp(0, 1)
    return color, alpha, found[:, 3:]


def _relit(rig: Rig, heads: Heads, light: Tensor, drawn: Surface) -> Tensor:
    """By what the colours of vertices ``(B, V, 3)`` change from the photo's light to another."""
    outer = rig.triangles[rig.parts <= LEFT_BALL]
    shape = expressed(rig, heads.neutral.float(), heads.gain, heads.expression)
    old = shading(heads.light, outward(shape @ heads.rotation.mT, outer))
    new = shading(light, outward(drawn.vertices, outer))
    return (new / old).clamp(*RATIOS) ** (1 / 2.2)


def _paint_mouth(rig: Rig, heads: Heads, drawn: Surface, opened: Tensor, layers: tuple[Tensor, Tensor, Tensor]) -> None:
    """Paint teeth, gums and throat of opened mouths into the layers of :func:`_skin`, in the light of the face."""
    rows = opened.nonzero()[:, 0]
    if not len(rows):
        return
    number, weights = drawn.number[rows], drawn.weights[rows]
    part = rig.parts[number.clamp_min(0)]
    inside = ((part >= TEETH) & (number >= 0))[:, None]
    values = torch.cat((rig.place, rig.shade[:, None]), 1)[None].expand(len(rows), -1, -1)
    normals = outward(drawn.vertices[rows], rig.triangles[rig.parts >= TEETH])
    found = interpolate(torch.cat((values, -normals[..., 2:]), 2), rig.triangles, number, weights)
    sheet = heads.sheet[rows].float() / 255
    level = (sheet[:, :, 100:180:4, 100:220:4].mean((1, 2, 3)) * 2).clamp(0.3, 1.1)
    shade = found[:, 2:3] * (0.5 + 0.5 * found[:, 3:].clamp(0, 1)) * level[:, None, None, None]
    color, alpha, seen = layers
    color[rows] = torch.where(inside, sample(sheet, found[:, :2], "nearest") * shade, color[rows])
    alpha[rows] = torch.where(inside, 1.0, alpha[rows])
    seen[rows] = torch.where(inside, 0.0, seen[rows])


def _smooth_edges(color: Tensor, alpha: Tensor, drawn: Surface) -> tuple[Tensor, Tensor]:
    """Colour and opacity with the outer border of what is drawn averaged over 3 x 3 pixels: no stairs there."""
    covered = (drawn.number >= 0)[:, None].to(color.dtype)
    mean = F.avg_pool2d(torch.cat((color * covered, covered, alpha), 1), 3, 1, 1, count_include_pad=False)
    share = mean[:, 3:4]
    border = (share > 0) & (share < 1)
    return (
        torch.where(border, mean[:, :3] / share.clamp_min(1e-6), color),
        torch.where(border, mean[:, 4:], alpha),
    )
