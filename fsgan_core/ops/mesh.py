"""Triangle meshes drawn as images: a batched z-buffer rasterizer in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

_SAMPLES = 1 << 22
"""Most pixel tests held in memory at once."""


def facing(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Cosine between each triangle's normal and the direction to the camera.

    Args:
        vertices: ``(B, V, 3)`` x right, y down, z away from the camera, one unit for all three.
        triangles: ``(T, 3)`` vertex numbers, clockwise as seen when the triangle faces the camera.

    Returns:
        ``(B, T)`` in [-1, 1]; positive faces the camera; 0 for a triangle without area.
    """
    a, b, c = vertices[:, triangles].unbind(2)
    normal = torch.linalg.cross(b - a, c - a)
    return normal[..., 2] / normal.norm(dim=-1).clamp_min(1e-12)


def vertex_facing(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Cosine of the area-weighted vertex normals to the camera, ``(B, V)`` in [-1, 1]; see :func:`facing`."""
    a, b, c = vertices[:, triangles].unbind(2)
    normal = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(1, triangles[:, corner], normal)
    return total[..., 2] / total.norm(dim=-1).clamp_min(1e-12)


def rasterize(
    vertices: Tensor, triangles: Tensor, height: int, width: int, keep: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Draw triangles with a z-buffer; pixel centres lie at half-integers.

    Args:
        vertices: ``(B, V, 3)`` x, y in pixels, z any depth that grows away from the camera.
        triangles: ``(T, 3)`` vertex numbers, in either orientation.
        height: rows of the result.
        width: columns of the result.
        keep: ``(B, T)`` bool, which triangles to draw; all when not given.

    Returns:
        the nearest triangle's number ``(B, H, W)``, -1 where there is none (among equally near ones the lowest
        number wins), and the barycentric coordinates ``(B, H, W, 3)``, 0 where there is none.
    """
    corners = vertices[:, triangles].flatten(0, 1)
    pixel, depth, owner = _fragments(corners, len(triangles), height, width, keep)
    count = len(vertices) * height * width
    nearest = depth.new_full((count,), torch.inf).scatter_reduce(0, pixel, depth, "amin")
    front = depth <= nearest[pixel]
    number = owner.new_full((count,), len(triangles)).scatter_reduce(0, pixel[front], owner[front], "amin")
    number = number.view(-1, height, width)
    hit = number < len(triangles)
    item, row, column = hit.nonzero(as_tuple=True)
    weights = _barycentric(corners.view(len(vertices), -1, 3, 3)[item, number[hit]], column + 0.5, row + 0.5)
    barycentric = vertices.new_zeros(*number.shape, 3)
    barycentric[hit] = weights
    return torch.where(hit, number, -1), barycentric


def interpolate(values: Tensor, triangles: Tensor, number: Tensor, barycentric: Tensor) -> Tensor:
    """Carry per-vertex values to the pixels of :func:`rasterize`.

    Args:
        values: ``(B, V, C)``.
        triangles: ``(T, 3)``.
        number: ``(B, H, W)`` triangle numbers.
        barycentric: ``(B, H, W, 3)``.

    Returns:
        ``(B, C, H, W)``, 0 where there is no triangle.
    """
    corners = triangles[number.clamp_min(0)]
    batch = torch.arange(len(values), device=values.device)[:, None, None, None]
    return (values[batch, corners] * barycentric[..., None]).sum(3).permute(0, 3, 1, 2)


def _barycentric(corners: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Barycentric coordinates ``(..., 3)`` of points against triangles ``(..., 3, 3)``; 0 area gives infinities."""
    a, b, c = corners[..., :2].unbind(-2)
    (abx, aby), (acx, acy) = (b - a).unbind(-1), (c - a).unbind(-1)
    px, py = x - a[..., 0], y - a[..., 1]
    area = abx * acy - aby * acx
    v = (px * acy - py * acx) / area
    w = (abx * py - aby * px) / area
    return torch.stack((1 - v - w, v, w), -1)


def _fragments(
    corners: Tensor, count: int, height: int, width: int, keep: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Every covered (pixel, depth, triangle): each triangle tests the square window of pixels around it."""
    low = (corners[..., :2].amin(1) - 0.5).ceil().clamp_min(0)
    limit = low.new_tensor((width - 1, height - 1))
    side = (torch.minimum((corners[..., :2].amax(1) - 0.5).floor(), limit) - low + 1).amin(1)
    extent = (torch.minimum((corners[..., :2].amax(1) - 0.5).floor(), limit) - low + 1).amax(1)
    drawn = (side >= 1) & (extent < torch.inf)
    if keep is not None:
        drawn &= keep.flatten()
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    window = 2
    while window < 2 * max(height, width):
        chosen = (drawn & (extent <= window) & ((extent > window // 2) | (window == 2))).nonzero()[:, 0]
        for part in chosen.split(max(1, _SAMPLES // window**2)):
            found.append(_window(corners[part], low[part], part, window, (count, height, width)))
        window *= 2
    if not found:
        empty = corners.new_zeros(0)
        return empty.long(), empty, empty.long()
    pixel, depth, owner = (torch.cat(parts) for parts in zip(*found, strict=True))
    return pixel, depth, owner


def _window(
    corners: Tensor, low: Tensor, part: Tensor, window: int, sizes: tuple[int, int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    count, height, width = sizes
    offset = torch.arange(window, device=corners.device)
    x = low[:, None, None, 0] + offset[None, None, :]
    y = low[:, None, None, 1] + offset[None, :, None]
    x, y = torch.broadcast_tensors(x, y)
    weights = _barycentric(corners[:, None, None], x + 0.5, y + 0.5)
    # The tolerance closes hairline gaps between neighbours that rounding would open.
    inside = (weights >= -1e-5).all(-1) & (x < width) & (y < height)
    which = inside.nonzero()[:, 0]
    depth = (weights[inside] * corners[which, :, 2]).sum(-1)
    pixel = (part[which] // count) * (height * width) + (y[inside] * width + x[inside]).long()
    return pixel, depth, part[which] % count
