"""Warped views put together: laid onto the target's edges, then each place taken from the view that sees it best."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..ops.boxes import surrounding
from ..ops.flow import identity, resize, sample
from ..ops.pooling import box_mean, halved
from .alignment import Aligner
from .layers import Layer
from .lookup import HARDLY, looked_up
from .refinement import Refined

SOFT = 5
"""Over how many pixels of the field a weight is averaged, so that no hard edge shows."""
_BESIDE = 5
"""Pixels of the field beside those where a view counts at which it may count once weights are averaged and shifted."""


def aligned(
    aligner: Aligner, picture: Tensor, layers: Sequence[Layer], refined: Refined
) -> tuple[list[Layer], Refined, Tensor]:
    """What is drawn of skin, shifted onto the target's picture.

    Args:
        aligner: the network.
        picture: ``(1, 3, T, T)`` the target's.
        layers: views warped to the target.
        refined: what the refinement network makes of them.

    Returns:
        layers and refinement shifted, and the shift ``(1, 2, F, F)`` in pixels of the field.
    """
    field, window = layers[0].flow.shape[-1], refined.window
    pictures = refined.picture, window.look(picture, picture.shape[-1] / field)
    drawn, target = (halved(one.mean(1, keepdim=True)) for one in pictures)
    shift, alike = aligner.fitted(drawn, target, halved(window.look(layers[0].mask, 1.0)))
    refined, spread = refined.aligned(shift, field, alike)
    return [layer.shifted(spread) for layer in layers], refined, spread


def merged(
    layers: Sequence[Layer], weights: Sequence[float], refined: Refined | None, size: int, mirror: float
) -> Tensor:
    """The views' pictures, each place from the view that sees it best.

    Args:
        layers: the views, warped to the target.
        weights: one a view, positive, sum 1.
        refined: what the refinement network makes of them, if it is asked.
        size: side of the result in pixels.
        mirror: trust in the mirrored half of the face relative to pixels really seen, in [0, 1].

    Returns:
        ``(1, 3, size, size)``.
    """
    image, total = torch.zeros(()), torch.zeros(())
    field = layers[0].flow.shape[-1]
    for index, (layer, share) in enumerate(zip(layers, weights, strict=True)):
        mirrored = mirror * layer.mirrored**2 * (1 - layer.seen)
        sides = (layer.flow, layer.seen, layer.blur), (layer.mirror_flow, mirrored, torch.zeros_like(layer.blur))
        for side, (flow, trust, blur) in enumerate(sides):
            # Squared, so that the view that sees a place best decides there and no ghost of the others remains.
            weight, outline = box_mean((share * trust + 1e-4) ** 2, SOFT), None if side else layer.outline
            if refined is not None:
                shift, belief = refined.sheet(2 * index + side, field)
                places = identity(field, field, flow) + shift
                flow, weight = sample(flow, places), weight * belief.exp()
                outline = outline and outline.at(places)
            weight = resize(weight, size, size)
            shown = _look_up(layer.picture, flow, blur, trust * layer.near, size)
            if outline is not None:
                outline.draw(layer.picture, shown, field / size)
            image = image + weight * shown
            total = total + weight
    return image / total


def _look_up(picture: Tensor, flow: Tensor, blur: Tensor, weight: Tensor, size: int) -> Tensor:
    """Sample a view at the result's resolution, only around where it counts."""
    image, counts = picture.new_zeros(1, 3, size, size), weight > 1e-3
    if not bool(counts.any()):
        return image
    field, around = flow.shape[-1], surrounding(counts, _BESIDE)[1:]
    rows, columns = (slice(side.start * size // field, -(-side.stop * size // field)) for side in around)
    part = (..., rows, columns)
    places = resize(flow, size, size)[part]
    fine = resize(blur, size, size)[part] if bool((blur > HARDLY).any()) else None
    image[part] = looked_up(picture, places, fine, "bicubic")
    return image
