"""Light on a head as spherical harmonics of second order (Ramamoorthi and Hanrahan 2001): estimate, shade, draw.

Colours of faces are in sRGB, light is linear: a ratio of two lights acts on colours by its 1/2.2th power.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.color import srgb_to_linear
from ..ops.flow import sample
from ..ops.mesh import vertex_normals

DARKEST = 0.25
"""Least shading, relative to the mean over the face: no real shadow is darker for long."""
_RIDGE = (0.1, *(0.06,) * 3, *(0.2,) * 5)


def basis(normals: Tensor) -> Tensor:
    """The nine harmonics ``(..., 9)`` at unit normals ``(..., 3)``: x right, y down, z away from the camera."""
    x, y, z = normals[..., 0], -normals[..., 1], -normals[..., 2]
    parts = (torch.ones_like(x), x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1)
    return torch.stack(parts, -1)


def outward(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals ``(B, V, 3)`` that point out of a head: their z is negative towards the camera."""
    return -vertex_normals(vertices, triangles)


def shading(light: Tensor, normals: Tensor) -> Tensor:
    """Linear light ``(B, V, 3)`` that surfaces with normals ``(B, V, 3)`` receive under a light ``(B, 9, 3)``."""
    return (basis(normals) @ light).clamp_min(DARKEST)


def estimate_light(photo: Tensor, vertices: Tensor, normals: Tensor, depth: Tensor, chosen: Tensor) -> Tensor:
    """Estimate the light from skin that is taken to be of one colour.

    Args:
        photo: ``(B, 3, H, W)`` sRGB.
        vertices: ``(B, V, 3)`` pixels.
        normals: ``(B, V, 3)``.
        depth: ``(B, 1, H, W)`` of what is nearest, as the vertices' z.
        chosen: ``(N,)`` the vertices that are used where they are visible.

    Returns:
        ``(B, 9, 3)``, scaled so that the visible skin receives 1 on average.
    """
    points, normal = vertices[:, chosen], normals[:, chosen]
    flow = points[..., :2].mT[..., None]
    colors = srgb_to_linear(sample(photo, flow))[..., 0].mT
    span = (vertices[..., 2].amax(1) - vertices[..., 2].amin(1))[:, None]
    near = points[..., 2] <= sample(depth, flow, "nearest")[:, 0, :, 0] + 0.03 * span
    weight = (near & (normal[..., 2] < -0.15)).to(colors.dtype)
    rows = basis(normal)
    for _ in range(4):
        share = weight / weight.sum(1, keepdim=True).clamp_min(1)
        level = (share[..., None] * colors).sum(1, keepdim=True).clamp_min(1e-3)
        goal = colors / level
        gram = rows.mT @ (share[..., None] * rows) + torch.diag(rows.new_tensor(_RIDGE))
        pull = torch.zeros_like(gram[..., :3])
        pull[:, 0] = _RIDGE[0]
        light = torch.linalg.solve(gram, rows.mT @ (share[..., None] * goal) + pull)
        # Brows, hair and glints are no skin: what is far off counts for little in the next turn.
        off = (goal - rows @ light).abs().mean(2)
        weight = (near & (normal[..., 2] < -0.15)).to(colors.dtype) / (1 + (off / 0.2) ** 2)
    return light
