"""Faces that look up steeply, as the segmentation network sees them.

From below, the shadows beside and under a nose look like the bridge and the rims of glasses. Believed, they would be
laid over a swapped face as things in front of it: a second nose.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..ops.masks import ramp
from ..ops.pooling import box_max
from .glasses import hidden_share

_STEEP = (28.0, 38.0)
"""Degrees of pitch: none; all is judged so."""
_GLASSES = (0.12, 0.17)
"""Share of the part between the eyes that is hidden: by shadows; by glasses."""
_BROAD = 17
"""Pixels of the network's square from which on a thing is too broad for a rim or a shadow."""
_ACROSS, _TOP, _BOTTOM = 0.95, -0.35, 0.75
"""Where such shadows are, on the mean face (distances between the outer eye corners, eyes at about 0, y down)."""


def without_shadows(hidden: Tensor, prior: Tensor, pitch: Tensor) -> Tensor:
    """Take lines around the nose of a face that looks up for shadows, unless glasses are plainly worn.

    Args:
        hidden: ``(B, 1, S, S)`` how much of each pixel is not face, in [0, 1].
        prior: ``(B, 3, S, S)``, see :func:`~fsgan_core.stages.open_segmentation.mesh_prior`.
        pitch: ``(B,)`` degrees, more than 0 up.

    Returns:
        ``(B, 1, S, S)``, nowhere more than before; the same where no face looks up.
    """
    steep = ramp(pitch[:, None, None, None], _STEEP)
    if not steep.any():
        return hidden
    doubt = steep * (1 - ramp(hidden_share(hidden, prior), _GLASSES))
    inside, x, y = prior.split(1, 1)
    zone = inside * ((y > _TOP) & (y < _BOTTOM) & (x.abs() < _ACROSS))
    broad = box_max(1 - box_max(1 - hidden, _BROAD), _BROAD)
    return torch.lerp(hidden, torch.minimum(hidden, broad), zone * doubt)
