"""How good a face is, as numbers: pure functions, batched; what they need beyond torch comes with ``fsgan[eval]``.

Unless said otherwise images are ``(B, 3, H, W)`` in [0, 1], masks ``(B, 1, H, W)`` in [0, 1], landmarks
``(B, 478, 3)`` in pixels, and results ``(B,)``. Pixels are those of what is given; :mod:`.crops` gives crops in
which the longer side of the face is 160 px, so that the crop of a swap is 256.

========================= ========= =================================================================
metric                    better    source
========================= ========= =================================================================
identity_distance         lower     FSGAN (ICCV 2019) section 5: "verification", on dlib's descriptors
ssim                      higher    FSGAN section 5; Wang et al., Image Quality Assessment, 2004
psnr                      higher
pose_error                lower     FSGAN section 5: "euler"
landmark_norm             lower     FSGAN section 5: "landmarks"
landmark_error            lower     the same by point, so that its unit is a pixel; with or without the pose
openness_error            lower     eye aspect ratio of Soukupova and Cech, 2016; the same of the mouth
sharpness                 1 is kept ratio of high frequencies
seam                      lower     CIEDE2000 (Sharma et al., 2005) across the border, beyond the target's own
border_color              lower     CIEDE2000 along the border
jitter, flicker           lower     second differences, as a ratio to the target's own
identity_drift            lower
========================= ========= =================================================================
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..errors import FSGANError
from ..ops.face_model import FaceModel
from ..ops.geometry import similarity
from ..ops.landmarks import RIGID, to_ibug68

_LUMA = (0.299, 0.587, 0.114)
_FINE = 2.0
"""Standard deviation in pixels of the blur that takes the fine detail away."""
_STEP = 1.5
"""Distance in pixels from a border at which its two sides are looked at."""
_DEPTH = 8.0
"""Distance in pixels inside a border at which colours are compared."""
_OPENINGS = {
    "right_eye": ((33, 133), (160, 159, 158), (144, 145, 153)),
    "left_eye": ((362, 263), (385, 386, 387), (380, 374, 373)),
    "mouth": ((78, 308), (82, 13, 312), (87, 14, 317)),
}
"""Corners, then points of the upper and the lower edge, each above the other."""


def identity_distance(one: Tensor, other: Tensor) -> Tensor:
    """Euclidean distance of face descriptors ``(B, D)``; with dlib's, below 0.6 is the same person to most eyes."""
    return torch.linalg.vector_norm(one - other, dim=-1)


def identity_drift(descriptors: Tensor) -> Tensor:
    """How far a clip's identity has moved from its first to its last third: distance of their mean descriptors.

    Args:
        descriptors: ``(F, D)``, one a frame; fewer than 2 do not drift.

    Returns:
        ``()``.
    """
    third = max(1, len(descriptors) // 3)
    return identity_distance(descriptors[:third].mean(0), descriptors[-third:].mean(0))


def psnr(one: Tensor, other: Tensor, mask: Tensor | None = None) -> Tensor:
    """Peak signal to noise ratio, ``10 log10(1 / MSE)`` in dB, under the mask; at most 100."""
    error = (one - other).square().mean(1, keepdim=True)
    return -10 * torch.log10(_under(error, mask).clamp_min(1e-10))


def ssim(one: Tensor, other: Tensor, mask: Tensor | None = None) -> Tensor:
    """Structural similarity of the luma, Gaussian window of 1.5 px as in Wang et al., mean under the mask."""
    measure = _skimage("metrics").structural_similarity
    wanted = {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    pairs = zip(_luma(one)[:, 0].cpu().numpy(), _luma(other)[:, 0].cpu().numpy(), strict=True)
    maps = np.stack([measure(a, b, **wanted)[1] for a, b in pairs])
    return _under(torch.from_numpy(maps).to(one)[:, None], mask)


def pose_error(one: Tensor, other: Tensor) -> Tensor:
    """L2 distance in degrees of poses ``(B, 3)``: yaw, pitch, roll, each difference taken the short way round."""
    return torch.linalg.vector_norm((one - other + 180) % 360 - 180, dim=-1)


def landmark_error(one: Tensor, other: Tensor) -> Tensor:
    """Mean distance in pixels of points ``(B, P, 2 or more)``; depth plays no part."""
    return torch.linalg.vector_norm((one - other)[..., :2], dim=-1).mean(-1)


def landmark_norm(one: Tensor, other: Tensor) -> Tensor:
    """L2 distance of all 68 iBUG points as one vector, in pixels: the paper's "landmarks", for dense points."""
    return torch.linalg.vector_norm((to_ibug68(one) - to_ibug68(other))[..., :2].flatten(1), dim=-1)


def without_pose(model: FaceModel, landmarks: Tensor, like: Tensor | None = None) -> Tensor:
    """Landmarks as if the face looked straight ahead: similarity transform of the rigid points to the mean face.

    Args:
        model: the face model.
        landmarks: ``(B, 478, 3)``.
        like: landmarks whose size is taken, so that the unit stays their pixel; the face's own when not given.

    Returns:
        ``(B, 478, 3)``, about the origin.
    """
    rigid = list(RIGID)
    mean = model.mean[None, rigid]
    scale, rotation, shift = similarity(mean, landmarks[:, rigid])
    wanted = scale if like is None else similarity(mean, like[:, rigid])[0]
    straight: Tensor = (landmarks - shift[:, None]) @ rotation * (wanted / scale)[:, None, None]
    return straight


def openness(landmarks: Tensor, opening: str) -> Tensor:
    """Gap over width of an opening: mean of three distances between its edges over that between its corners.

    Args:
        landmarks: ``(B, 478, 2 or 3)``; with depth a turned face keeps its values.
        opening: ``"mouth"``, ``"right_eye"`` or ``"left_eye"`` (the subject's sides).
    """
    corners, upper, lower = (list(points) for points in _OPENINGS[opening])
    gaps = torch.linalg.vector_norm(landmarks[:, upper] - landmarks[:, lower], dim=-1).mean(-1)
    first, last = landmarks[:, corners].unbind(1)
    return gaps / torch.linalg.vector_norm(first - last, dim=-1).clamp_min(1e-6)


def openness_error(one: Tensor, other: Tensor, part: str) -> Tensor:
    """Absolute difference of :func:`openness`; ``part`` is ``"mouth"`` or ``"eyes"``, the mean of both."""
    openings = ("mouth",) if part == "mouth" else ("right_eye", "left_eye")
    return torch.stack([(openness(one, name) - openness(other, name)).abs() for name in openings]).mean(0)


def sharpness(image: Tensor, mask: Tensor) -> Tensor:
    """Fine detail under the mask: root mean square of the luma less its Gaussian blur of 2 px.

    Noise counts as detail. Its ratio to that of the same face's real picture says what was lost (below 1).
    """
    luma = _luma(image)
    return _under((luma - _blurred(luma, _FINE)).square(), mask).sqrt()


def sharpness_ratio(image: Tensor, reference: Tensor, mask: Tensor) -> Tensor:
    """:func:`sharpness` over that of a reference whose face lies under the same mask."""
    return sharpness(image, mask) / sharpness(reference, mask).clamp_min(1e-6)


def seam(result: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """How far the border of a face is seen: what the result steps across it beyond the target's own step.

    At each point p of the border, with n its outward normal, the step is the CIEDE2000 difference of the colours at
    p - 1.5 n and p + 1.5 n; the mean of ``max(0, step of the result - step of the target)``. 1 is just noticeable.

    Args:
        result: the swap.
        target: the same frame before it.
        mask: the face that was put in; its border is where the mask passes 0.5, away from the picture's edge.
    """
    return _along_border(mask, lambda row, spots, away: _excess(result[row], target[row], spots, _STEP * away))


def border_color(result: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean CIEDE2000 difference of result and target just inside the border (8 px), after a blur of 2.7 px.

    What was there and what is there now are both skin; a colour cast shows whatever lies outside.
    """
    blurred = _blurred(result, _DEPTH / 3), _blurred(target, _DEPTH / 3)

    def differ(row: int, spots: Tensor, away: Tensor) -> Tensor:
        inside = spots - _DEPTH * away
        return _ciede2000(_colors(blurred[0][row], inside), _colors(blurred[1][row], inside))

    return _along_border(mask, differ)


def jitter(landmarks: Tensor) -> Tensor:
    """Mean length in pixels of the second differences of points along a clip: shaking, but not steady motion.

    Args:
        landmarks: ``(F, P, 2 or more)``, F at least 3; depth plays no part.

    Returns:
        ``(F - 2,)``, one value for each frame that has both neighbours.
    """
    return torch.linalg.vector_norm(_bend(landmarks[..., :2]), dim=-1).mean(-1)


def face_colors(image: Tensor, landmarks: Tensor) -> Tensor:
    """Colours ``(B, P, 3)`` at landmarks, after a blur of 1.5 px: a face's look that motion does not change."""
    blurred = _blurred(image, _STEP)
    return torch.stack([_colors(one, spots[:, :2]) for one, spots in zip(blurred, landmarks, strict=True)])


def flicker(colors: Tensor) -> Tensor:
    """Mean absolute second difference along a clip, in levels of 255, of colours that follow the face.

    Divided by the target's own it is 1 where the swap flickers no more than the target; light that changes steadily
    does not count.

    Args:
        colors: ``(F, P, 3)`` from :func:`face_colors`, F at least 3.

    Returns:
        ``(F - 2,)``.
    """
    return 255 * _bend(colors).abs().mean((-1, -2))


def coverage(statuses: list[str]) -> float:
    """Share of frames in which a face was drawn: their statuses are ``"swapped"`` or ``"reenacted"``."""
    return sum(status in ("swapped", "reenacted") for status in statuses) / max(1, len(statuses))


def _bend(values: Tensor) -> Tensor:
    if len(values) < 3:
        raise ValueError(f"found {len(values)} frames, but a second difference needs 3")
    return values[2:] - 2 * values[1:-1] + values[:-2]


def _under(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean under the mask, ``(B,)``."""
    weight = torch.ones_like(values[:, :1]) if mask is None else mask
    return (values * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1e-6)


def _luma(image: Tensor) -> Tensor:
    return (image * image.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """Gaussian blur within 3 sigma; the border is repeated."""
    size = (2 * round(3 * sigma) + 1,) * 2
    planes = image.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy()
    rows = [cv2.GaussianBlur(one, size, sigma, borderType=cv2.BORDER_REPLICATE) for one in planes]
    return torch.from_numpy(np.stack(rows)).reshape(planes.shape).permute(0, 3, 1, 2).to(image.device)


def _along_border(mask: Tensor, value: Any) -> Tensor:
    """Mean over each item's border of a value at its points: given row, points ``(N, 2)``, outward normals."""
    slope = _blurred(mask, _FINE)
    rows = []
    for row in range(len(mask)):
        spots, away = _border(mask[row, 0], slope[row, 0])
        rows.append(value(row, spots, away).mean() if len(spots) else mask.new_zeros(()))
    return torch.stack(rows)


def _border(mask: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
    """Points x, y ``(N, 2)`` where a mask ``(H, W)`` passes 0.5, and unit normals that leave it."""
    inside = mask > 0.5
    inner = -functional.max_pool2d(-inside[None, None].to(mask.dtype), 3, 1, 1)[0, 0] > 0.5
    edge = round(2 * _DEPTH)
    kept = torch.zeros_like(inside)
    kept[edge:-edge, edge:-edge] = True
    y, x = (inside & ~inner & kept).nonzero().unbind(1)
    down, right = torch.gradient(soft)
    away = -torch.stack((right[y, x], down[y, x]), -1)
    return torch.stack((x, y), -1) + 0.5, away / torch.linalg.vector_norm(away, dim=-1, keepdim=True).clamp_min(1e-9)


def _excess(result: Tensor, target: Tensor, spots: Tensor, offset: Tensor) -> Tensor:
    steps = [_ciede2000(_colors(image, spots - offset), _colors(image, spots + offset)) for image in (result, target)]
    return (steps[0] - steps[1]).clamp_min(0)


def _colors(image: Tensor, spots: Tensor) -> Tensor:
    """Colours ``(N, 3)`` of an image ``(3, H, W)`` at places x, y ``(N, 2)`` in pixels."""
    size = spots.new_tensor((image.shape[2], image.shape[1]))
    grid = (2 * spots / size - 1)[None, None]
    return functional.grid_sample(image[None], grid, padding_mode="border", align_corners=False)[0, :, 0].T


def _ciede2000(one: Tensor, other: Tensor) -> Tensor:
    """Colour difference ``(N,)`` of sRGB colours ``(N, 3)``."""
    color = _skimage("color")
    lab: list[NDArray[Any]] = [color.rgb2lab(values.clamp(0, 1).cpu().numpy()) for values in (one, other)]
    return torch.from_numpy(np.asarray(color.deltaE_ciede2000(*lab), np.float32)).to(one.device)


@cache
def _skimage(part: str) -> Any:
    """A module of scikit-image.

    Raises:
        FSGANError: it is not installed.
    """
    try:
        from importlib import import_module

        return import_module(f"skimage.{part}")
    except ModuleNotFoundError as error:
        raise FSGANError("measuring results needs scikit-image; run: pip install scikit-image") from error
