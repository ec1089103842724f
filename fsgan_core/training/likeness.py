"""How unlike two pictures of a face are, as acceptance measures it, in a form that can be learned from."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..networks.flow_net import WINDOW
from ..stages.evidence import MARGIN
from ..stages.landmark_crops import BOX_MARGIN, SHAPE_MARGIN
from ..stages.open_landmarks import load_open_landmarker

_LUMA = (0.299, 0.587, 0.114)
_SIGMA = 1.5
_REACH = 5


def dissimilarity(one: Tensor, other: Tensor) -> Tensor:
    """1 - SSIM of the luma (Wang et al., 2004; a Gaussian window of 1.5 px) at each place ``(B, 1, H, W)``.

    Args:
        one: ``(B, 3, H, W)`` in [0, 1].
        other: the same.
    """
    x, y = (_luma(image.float()) for image in (one, other))
    count = len(x)
    means = _blurred(torch.cat((x, y, x * x, y * y, x * y)))
    mx, my, xx, yy, xy = means.split(count)
    structure = (2 * (xy - mx * my) + 0.03**2) / (xx - mx * mx + yy - my * my + 0.03**2)
    return 1 - structure * (2 * mx * my + 0.01**2) / (mx * mx + my * my + 0.01**2)


def _luma(image: Tensor) -> Tensor:
    return (image * image.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def _blurred(planes: Tensor) -> Tensor:
    """Planes ``(B, 1, H, W)`` blurred by a Gaussian, mirrored at the border; convolutions of one channel are slower."""
    # Variances are small differences of large numbers: bfloat16 has too few digits.
    with torch.autocast(planes.device.type, enabled=False):
        down, across = (_band(size, planes.device) for size in planes.shape[-2:])
        return down @ planes @ across.mT


def _band(size: int, device: torch.device) -> Tensor:
    """How much each pixel of a line has of which, ``(size, size)``."""
    places = torch.arange(-_REACH, _REACH + 1, device=device)
    line = torch.exp(-(places**2) / (2 * _SIGMA**2))
    unit = functional.pad(torch.eye(size, device=device)[None], (_REACH, _REACH), mode="reflect")[0]
    return functional.conv1d(unit[:, None], (line / line.sum())[None, None])[:, 0].mT


class Expression:
    """Where our landmark networks, which stay as they are, see one face and where the other.

    Args:
        device: where to compute.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        found = load_open_landmarker(device)
        if found.local is None:
            raise ValueError("the bundled landmarker has no local network")
        self.dense, self.local = found.network.requires_grad_(False), found.local.requires_grad_(False)

    def __call__(self, image: Tensor, target: Tensor) -> Tensor:
        """Mean distance of the landmarks of windows ``(B, 3, WINDOW, WINDOW)``, in pixels; the target's is no goal."""
        with torch.no_grad():
            box = BOX_MARGIN / MARGIN
            middle = target.new_full((len(target), 2), 0.5)
            start, _ = self.dense(_square(target, middle, middle.new_full((len(target),), box), self.dense.config.size))
            start = (start - 0.5) * box
            centre, spread = start.mean(1), (start - start.mean(1, keepdim=True)).square().sum(2).mean(1).sqrt()
            side = SHAPE_MARGIN * spread
            inside = (start - centre[:, None]) / side[:, None, None] + 0.5
        size, places = self.local.config.size, centre[:, :2] + 0.5
        seen, wanted = (self.local(_square(picture, places, side, size), inside) for picture in (image, target))
        away = (seen - wanted.detach())[..., :2] * side[:, None, None] * WINDOW
        return torch.linalg.vector_norm(away + 1e-4, dim=-1).mean()


def _square(picture: Tensor, centre: Tensor, side: Tensor, size: int) -> Tensor:
    """Squares ``(B, 3, size, size)`` around places ``(B, 2)``, sides ``(B,)``, both in units of the pictures."""
    line = (torch.arange(size, device=picture.device) + 0.5) / size * 2 - 1
    grid = torch.stack((line.expand(size, -1), line[:, None].expand(-1, size)), -1)
    grid = grid * side[:, None, None, None] + (2 * centre - 1)[:, None, None]
    return functional.grid_sample(picture, grid, padding_mode="border", align_corners=False)
