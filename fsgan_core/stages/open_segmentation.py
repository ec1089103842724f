"""Segmentation by our network: the face without hair, hands, frames of glasses and whatever else is in front of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ..networks.unet import UNet
from ..ops.face_model import FaceModel, poses
from ..ops.mesh import facing, interpolate, rasterize
from .glasses import Glasses, Look, Seen
from .lenses import Lenses
from .loose_hair import loose_hair
from .open_networks import Upright, load_unet, placed
from .upturned import without_shadows

MARGIN = 1.4
"""Side of what the network sees over the longer side of the face; about the middle of what it was trained on."""
REST, FACE, HAIR = 0, 1, 2
"""Channels of the answer, in FSGAN's order."""
_BROWS = (105, 334)
"""Landmarks on top of the brows."""
_CERTAIN = 0.15
"""Shares of the face this near to 0 and 1 are taken as 0 and 1, so that nothing is left of what is not face."""


class OpenSegmenter:
    """Our network; see :class:`~fsgan_core.stages.segmentation.Segmenter`.

    The picture and the mesh of the landmarks are looked at together in an upright square, whatever crop is given.
    Clear lenses are face and dark ones are not; a beard is face.

    Args:
        model: the face model; on the device of the pictures.
        network: another network than the bundled one.
    """

    occluders = True

    def __init__(self, model: FaceModel, network: UNet | None = None) -> None:
        self.model = model
        self.network = network or load_unet("segmentation")
        self._glasses = Glasses(model)

    @torch.inference_mode()
    def __call__(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """See :class:`~fsgan_core.stages.segmentation.Segmenter`."""
        return self.along(images, landmarks, lambda: None)[0]

    @torch.inference_mode()
    def along(self, images: Tensor, landmarks: Tensor, before: Callable[[], Seen | None]) -> tuple[Tensor, Seen]:
        """Segment a frame of a track.

        Args:
            images: ``(B, 3, S, S)`` crops.
            landmarks: ``(B, 478, 3)`` pixels of the crops.
            before: gives what was seen in the frame before, if any; asked when the network has answered.

        Returns:
            the mask, and what was seen, for the next frame.
        """
        square, shares, look = self._answer(images, landmarks)
        hidden = without_shadows(1 - shares[:, FACE : FACE + 1], look.prior, poses(self.model, landmarks)[:, 1])
        hidden, seen = self._glasses.kept_whole(hidden, look, before())
        face = square.put_back(1 - hidden, *images.shape[-2:])
        return ((face - _CERTAIN) / (1 - 2 * _CERTAIN)).clamp(0, 1), seen

    @torch.inference_mode()
    def lenses(self, images: Tensor, landmarks: Tensor) -> tuple[Lenses, Tensor]:
        """The rims of glasses in crops, believed where some are worn, and how much each lens hides ``(B, 2)``.

        Arguments as for :meth:`shares`.
        """
        square, shares, look = self._answer(images, landmarks)
        found, tints = self._glasses.lenses(1 - shares[:, FACE : FACE + 1], look)
        return found.moved(square.matrix, square.centre - square.matrix.sum(2) * (square.size / 2)), tints

    @torch.inference_mode()
    def loose_hair(self, image: Tensor, landmarks: Tensor) -> Tensor:
        """Hair in front of a face that :meth:`__call__` takes for face.

        Args:
            image: ``(1, 3, S, S)``.
            landmarks: ``(1, 478, 3)`` pixels of it.

        Returns:
            ``(1, 1, S, S)`` in [0, 1].
        """
        square, shares, look = self._answer(image, landmarks)
        brow = float(self.model.mean[list(_BROWS), 1].mean())
        found = loose_hair(look, shares[:, FACE : FACE + 1], shares[:, HAIR : HAIR + 1], brow)
        return square.put_back(found, *image.shape[-2:])

    @torch.inference_mode()
    def shares(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """How much of each pixel is rest, face and hair.

        Args:
            images: ``(B, 3, S, S)``.
            landmarks: ``(B, 478, 3)`` pixels of the crops.

        Returns:
            ``(B, 3, S, S)`` in [0, 1], summing to 1 within the square looked at and 0 beyond.
        """
        square, shares, _ = self._answer(images, landmarks)
        return square.put_back(shares, *images.shape[-2:])

    def _answer(self, images: Tensor, landmarks: Tensor) -> tuple[Upright, Tensor, Look]:
        size = self.network.config.size
        square = Upright.around(landmarks, size, MARGIN)
        points, pictures = square.points(landmarks), square.cut(images)
        look = Look(pictures, points, mesh_prior(points, self.model, size))
        inputs = torch.cat((normalized(pictures), look.prior), 1)
        answer = placed(self.network, images.device)(inputs.contiguous(memory_format=torch.channels_last))
        return square, functional.softmax(answer, 1), look


def mesh_prior(landmarks: Tensor, model: FaceModel, size: int) -> Tensor:
    """What the landmarks tell a network about every pixel.

    Args:
        landmarks: ``(B, 478, 3)`` pixels of a crop of side ``size``.
        model: the face model.
        size: side in pixels.

    Returns:
        ``(B, 3, size, size)``: 1 within the mesh, and the place on the mean face (x, y in distances between the outer
        eye corners) that is drawn there; 0 beyond.
    """
    front = facing(landmarks, model.triangles) > 0
    number, weights = rasterize(landmarks, model.triangles, size, size, front)
    places = model.mean[None, :, :2].expand(len(landmarks), -1, -1)
    drawn = interpolate(places, model.triangles, number, weights)
    return torch.cat(((number >= 0)[:, None].to(drawn.dtype), drawn), 1)


def normalized(images: Tensor) -> Tensor:
    """Images in [0, 1] as the networks take them: about unit range around 0."""
    return (images - 0.5) / 0.25
