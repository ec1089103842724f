"""Triangle meshes drawn as images: a batched scan-line z-buffer in plain torch.

Every triangle is cut into its rows of pixels and every row into its pixels, all at once, so that only what is covered
is ever looked at; the nearest of a pixel's triangles is kept by one scattered minimum.
"""

from __future__ import annotations

import torch
from torch import Tensor

_UNEVEN = 5
"""Doublings at most that :func:`unevenness` tells; what is flat has no end of them."""
_SLACK = 1e-4
"""Pixels by which a row's ends are widened: closes hairline gaps between neighbours that rounding would open."""


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


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Area-weighted unit normals ``(B, V, 3)`` into the surface: z > 0 faces the camera; see :func:`facing`."""
    a, b, c = vertices[:, triangles].unbind(2)
    normal = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(1, triangles[:, corner], normal)
    return total / total.norm(dim=-1, keepdim=True).clamp_min(1e-12)


def vertex_facing(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Cosine of the vertex normals to the camera, ``(B, V)`` in [-1, 1]; see :func:`facing`."""
    return vertex_normals(vertices, triangles)[..., 2]


def strain(before: Tensor, after: Tensor, triangles: Tensor, least: float = 0.0) -> Tensor:
    """How much a mesh is deformed around each vertex: change of its edges relative to their length before.

    Args:
        before: ``(B, V, 3)``.
        after: ``(B, V, 3)``, turned as ``before`` is.
        triangles: ``(T, 3)``.
        least: added to every length, so that noise of short edges counts for little.

    Returns:
        ``(B, V)`` at least 0, the mean over the edges around.
    """
    total, count = torch.zeros_like(before[..., 0]), torch.zeros_like(before[0, :, 0])
    for first, second in ((0, 1), (1, 2), (2, 0)):
        ends = triangles[:, first], triangles[:, second]
        edge, moved = (vertices[:, ends[1]] - vertices[:, ends[0]] for vertices in (before, after))
        change = (moved - edge).norm(dim=2) / (edge.norm(dim=2) + least).clamp_min(1e-12)
        for end in ends:
            total = total.index_add(1, end, change)
            count = count.index_add(0, end, torch.ones_like(change[0]))
    return total / count.clamp_min(1)


def unevenness(before: Tensor, after: Tensor, triangles: Tensor) -> Tensor:
    """How much more a mesh is stretched in one direction than across it, around each vertex.

    Args:
        before: ``(B, V, 2 or more)``, of which x and y are used.
        after: the same, moved.
        triangles: ``(T, 3)``.

    Returns:
        ``(B, V)`` doublings, at least 0 and at most :data:`_UNEVEN`: the mean over the triangles around, by their
        areas in ``after``.
    """
    edges = []
    for vertices in (before, after):
        a, b, c = vertices[:, triangles, :2].unbind(2)
        edges.append(torch.stack((b - a, c - a), -1))
    old, new = edges
    area = torch.linalg.det(new).abs()
    # Without the inverse: of the map old @ new^-1 only the ratio of its singular values counts.
    cofactor = torch.stack((new[..., 1, 1], -new[..., 0, 1], -new[..., 1, 0], new[..., 0, 0]), -1).unflatten(-1, (2, 2))
    (p, q), (r, s) = (row.unbind(-1) for row in (old @ cofactor).unbind(-2))
    even, odd = torch.hypot(p + s, q - r), torch.hypot(p - s, q + r)
    ratio = ((even + odd) / (even - odd).abs().clamp_min(1e-12)).clamp(1, 2**_UNEVEN).log2()
    total, weight = torch.zeros_like(before[..., 0]), torch.zeros_like(before[..., 0])
    for corner in range(3):
        total = total.index_add(1, triangles[:, corner], ratio * area)
        weight = weight.index_add(1, triangles[:, corner], area)
    return total / weight.clamp_min(1e-12)


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
    edges, depths = _planes(corners)
    first, count = _row_span(corners, edges[:, 6].abs(), height, width)
    if keep is not None:
        count = torch.where(keep.flatten(), count, 0)
    triangle, step = _counted(count)
    triangle, row, column = _pixels(corners, triangle, first[triangle] + step, width)
    pixel = (triangle // len(triangles) * height + row) * width + column
    key = (_ordered(_depth(depths[triangle], row, column)) << 32) | (triangle % len(triangles))
    number = key.new_full((len(vertices) * height * width,), _NOTHING).scatter_reduce(0, pixel, key, "amin")
    number = torch.where(number == _NOTHING, -1, number & 0xFFFFFFFF).view(-1, height, width)
    return number, _barycentric(edges.view(len(vertices), -1, 7), number)


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
    # Whole triangles are looked up: three times fewer places, and each is one row of memory.
    a, b, c = _looked_up(values[:, triangles].flatten(2), number).unflatten(3, (3, -1)).unbind(3)
    u, v, w = barycentric[..., None].unbind(3)
    return (a * u + b * v + c * w).permute(0, 3, 1, 2)


def _looked_up(rows: Tensor, number: Tensor) -> Tensor:
    """Rows ``(B, T, C)`` by their numbers ``(B, H, W)``: ``(B, H, W, C)``; -1 gives any."""
    first = torch.arange(len(rows), device=rows.device)[:, None, None] * rows.shape[1]
    found = rows.flatten(0, 1).index_select(0, (first + number.clamp_min(0)).flatten())
    return found.view(*number.shape, -1)


def _planes(corners: Tensor) -> tuple[Tensor, Tensor]:
    """What is needed of triangles ``(N, 3, 3)`` to draw them.

    Returns:
        ``(N, 7)`` x and y of the first corner, of the ways from it to the second and to the third, and twice the signed
        area; ``(N, 5)`` depth of the pixel (0, 0) on the plane, what it grows by to the right and down, and the
        triangle's least and largest.
    """
    a, b, c = corners.unbind(1)
    ab, ac = b - a, c - a
    # Their cross product; of a triangle without area, which is not drawn, the rest is not finite.
    normal = ab.roll(-1, 1) * ac.roll(-2, 1) - ab.roll(-2, 1) * ac.roll(-1, 1)
    slope = normal[:, :2] / -normal[:, 2:]
    right, down = (slope * (a[:, :2] - 0.5)).split(1, 1)
    z = corners[..., 2]
    depths = (a[:, 2:] - right - down, slope, z.amin(1, keepdim=True), z.amax(1, keepdim=True))
    return torch.cat((a[:, :2], ab[:, :2], ac[:, :2], normal[:, 2:]), 1), torch.cat(depths, 1)


def _barycentric(edges: Tensor, number: Tensor) -> Tensor:
    """Barycentric coordinates ``(B, H, W, 3)`` of pixels in triangles ``(B, T, 7)``, by their numbers."""
    ax, ay, abx, aby, acx, acy, area = _looked_up(edges, number).unbind(3)
    px = torch.arange(number.shape[2], device=number.device) + 0.5 - ax
    py = (torch.arange(number.shape[1], device=number.device) + 0.5)[:, None] - ay
    v = (px * acy - py * acx) / area
    w = (abx * py - aby * px) / area
    return torch.where((number >= 0)[:, None], torch.stack((1 - v - w, v, w), 1), 0).permute(0, 2, 3, 1)


def _row_span(corners: Tensor, area: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The first row of pixel centres that each triangle reaches, and how many it reaches; none beside the picture."""
    (left, top), (right, bottom) = (ends.unbind(1) for ends in torch.aminmax(corners[..., :2], dim=1))
    first = (top - 0.5).ceil().clamp(0, height)
    last = (bottom - 0.5).floor().clamp(-1, height - 1)
    drawn = (area > 1e-12) & (area < torch.inf) & (right >= 0.5 - _SLACK) & (left <= width - 0.5 + _SLACK)
    count = torch.where(drawn, last - first + 1, 0).nan_to_num(0).clamp_min(0)
    return first.nan_to_num(0).long(), count.long()


def _pixels(corners: Tensor, triangle: Tensor, row: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Every pixel of these rows of triangles: triangle, row and column."""
    order = corners[..., 1].argsort(1)
    high, middle, low = corners[..., :2].gather(1, order[..., None].expand(-1, -1, 2))[triangle].unbind(1)
    y = row + 0.5
    lower = y > middle[:, 1]
    one = _crossing(high, low, y)
    other = _crossing(torch.where(lower[:, None], middle, high), torch.where(lower[:, None], low, middle), y)
    first = (torch.minimum(one, other) - 0.5 - _SLACK).ceil().clamp(0, width)
    last = (torch.maximum(one, other) - 0.5 + _SLACK).floor().clamp(-1, width - 1)
    part, step = _counted((last - first + 1).clamp_min(0).long())
    return triangle[part], row[part], first[part].long() + step


def _crossing(start: Tensor, end: Tensor, y: Tensor) -> Tensor:
    """Where edges down between points ``(N, 2)``, cross the heights ``(N,)``; equal for both owners of an edge."""
    step = (y - start[:, 1]) / (end[:, 1] - start[:, 1]).clamp_min(1e-12)
    return start[:, 0] + step.clamp(0, 1) * (end[:, 0] - start[:, 0])


def _counted(count: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers ``(N,)`` as ``sum(N)`` pairs of an index and what it has counted so far: (0, 0), (0, 1), (1, 0) ..."""
    index = torch.arange(len(count), device=count.device).repeat_interleave(count)
    return index, torch.arange(len(index), device=count.device) - (count.cumsum(0) - count)[index]


def _depth(planes: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Depths of pixels on the planes of their triangles ``(N, 5)``, within the triangles' own depths."""
    base, right, down, near, far = planes.unbind(1)
    return torch.minimum(torch.maximum(base + right * column + down * row, near), far)


def _ordered(depth: Tensor) -> Tensor:
    """Whole numbers of 32 bits in the order of the depths, kept in 64."""
    bits = depth.float().view(torch.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).long()


_NOTHING = (1 << 63) - 1
"""Larger than every key of depth and triangle."""
