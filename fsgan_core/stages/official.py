"""The official networks as stages of the library's own pipeline.

They work at 256 px, on crops of the scale they were trained with; their results are brought to the crop's size. The
exact order of the original, its crops and its pasting included, is in :mod:`fsgan_core.official`.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..networks.fast import SharedReenactment, folded
from ..networks.hrnet import HRNet
from ..networks.ms_res_unet import MultiScaleResUNet
from ..networks.seg_unet import SegmentationUNet
from ..ops.color import ColorMatch
from ..ops.face_model import FaceModel
from ..ops.flow import identity, sample
from ..ops.geometry import euler_angles
from ..ops.head_mesh import place
from ..ops.heatmaps import blurred_points, gaussian_patches, landmark_discs, landmarks_from_heatmaps
from ..ops.landmarks import to_ibug68
from ..ops.masks import feather
from ..ops.mesh import facing, rasterize
from ..ops.official_masks import image_pyramid, soft_erosion, transfer
from ..ops.official_swap import FACE
from ..ops.official_views import step_landmarks
from ..ops.pyramid import reduce
from ..ops.wflw import to_wflw98
from .blending import BlendOptions, FloatBlender, Skins
from .layers import Anchor
from .reenactment import Reenactment
from .views import View

SIZE = 256
"""side in pixels of everything the official networks see"""
CROP_SCALES = {"v2": 1.2, "v1": 2.0, "v1-stepwise": 1.2}
"""side of a training crop over the longer side of the face, by weight set"""
_CORE = 1 - 5e-7
"""mask value from which on a pixel counts as inside; soft edges end just below it"""
_BLUR = {256: 13, 128: 7}
Segment = Callable[[Tensor, Tensor], Tensor]


class LearnedReenactor:
    """Gr of v2 or v1: generates every view with the target's landmarks and mixes the results.

    Args:
        network: a generator with 98 (v2) or 68 (v1) landmark maps; not changed.
        model: the face model, for poses and the openings of mouth and eyes.
        segment: finds the face in what was generated, as a :class:`~fsgan_core.stages.segmentation.Segmenter`; the
            segmentation head of v1 is preferred where there is one.
        weight_set: key of :data:`CROP_SCALES`.
        steps: of the recurrent reenactment (``"v1-stepwise"``).
        landmarks: measures 98 points in the target's picture; without it they are derived from the dense ones.
    """

    def __init__(
        self,
        network: MultiScaleResUNet,
        model: FaceModel,
        segment: Segment,
        weight_set: str = "v2",
        steps: int = 2,
        landmarks: HRNet | None = None,
    ) -> None:
        self.network = SharedReenactment(network)
        self.model, self.segment, self.weight_set, self.steps = model, segment, weight_set, steps
        self.landmarks = None if landmarks is None else folded(landmarks)
        self.known: Tensor | None = None

    def at(self, landmarks: Tensor | None) -> LearnedReenactor:
        """The same with the target's 98 points ``(1, 98, 2)`` known, as fractions of the crop's side."""
        copied = copy.copy(self)
        copied.known = landmarks
        return copied

    @torch.inference_mode()
    def __call__(
        self,
        views: Sequence[View],
        weights: Sequence[float],
        landmarks: Tensor,
        size: int,
        anchor: Anchor | None = None,
        surroundings: bool = False,
        picture: Tensor | None = None,
    ) -> Reenactment:
        """See :class:`~fsgan_core.stages.reenactment.Reenactor`; surroundings are as generated.

        Raises:
            ValueError: an anchor, which only the flow engine knows.
        """
        if anchor is not None:
            raise ValueError(
                "the official networks draw crops in the target's geometry; use --crop, or reenactment 'flow'"
            )
        points = landmarks * (SIZE / size)
        drawn = (
            self._stepwise(views, points) if self.weight_set == "v1-stepwise" else self._plain(views, points, picture)
        )
        outputs = [torch.zeros(()), torch.zeros(())]
        for result, weight in zip(drawn, weights, strict=True):
            outputs = [total + weight * output for total, output in zip(outputs, result, strict=False)]
        image = outputs[0]
        if len(self.network.config.out_channels) > 1:
            shown = (outputs[1].argmax(1, keepdim=True) == FACE).float()
        else:
            shown = self.segment(image, points)
        return Reenactment(
            image=resized(image, size),
            mask=torch.ones_like(resized(shown, size)),
            confidence=resized(shown, size),
            openings=resized(self._openings(points), size),
            missing=torch.zeros(1, 1, size, size, device=image.device),
            steps=self.steps if self.weight_set == "v1-stepwise" else 1,
        )

    def _plain(self, views: Sequence[View], points: Tensor, picture: Tensor | None) -> Iterator[tuple[Tensor, ...]]:
        prepared = self.network.prepare(self._maps(points, picture))
        for view in views:
            image, _ = self._crop(view, points)
            yield self.network([image, reduce(image)], prepared)

    def _stepwise(self, views: Sequence[View], points: Tensor) -> Iterator[tuple[Tensor, ...]]:
        target = to_ibug68(points)
        for view in views:
            image, source = self._crop(view, points, roll=False)
            for landmarks in path(to_ibug68(source), target, self.steps):
                maps = [blurred_points(landmarks * (side / SIZE), side, kernel) for side, kernel in _BLUR.items()]
                outputs = self.network(image_pyramid(image), self.network.prepare(maps))
                image = outputs[0]
            yield outputs

    def _maps(self, points: Tensor, picture: Tensor | None) -> list[Tensor]:
        """Landmark maps at both levels for dense points ``(1, 478, 3)`` in pixels of the crop of :data:`SIZE`."""
        if self.weight_set != "v2":
            return [gaussian_patches(to_ibug68(points) * (side / SIZE), side) for side in (SIZE, SIZE // 2)]
        if self.known is not None:
            sparse = self.known.to(points)
        elif self.landmarks is not None and picture is not None:
            sparse = landmarks_from_heatmaps(self.landmarks(resized(picture, SIZE)))
        else:
            sparse = to_wflw98(points)[..., :2] / SIZE
        return [landmark_discs(sparse, side) for side in (SIZE, SIZE // 2)]

    def _crop(self, view: View, points: Tensor, roll: bool = True) -> tuple[Tensor, Tensor]:
        """A view's face cut out as in training, for v2 with the target's roll; and its landmarks in there."""
        low, high = view.landmarks[0, :, :2].amin(0), view.landmarks[0, :, :2].amax(0)
        scale = CROP_SCALES[self.weight_set] * (high - low).max().item() / SIZE
        turn = torch.zeros((), device=points.device)
        if roll and self.weight_set == "v2":
            target = place(self.model.mean, points)
            turn = (euler_angles(target.rotation) - euler_angles(view.placement.rotation))[0, 2].deg2rad()
        matrix = torch.stack((turn.cos(), -turn.sin(), turn.sin(), turn.cos())).view(2, 2)
        centre, middle = (low + high) / 2, SIZE / 2
        grid = identity(SIZE, SIZE, points) - middle
        places = scale * torch.einsum("ji,bjhw->bihw", matrix, grid) + centre[:, None, None]
        level = min(max(0, math.floor(math.log2(max(1.0, scale)))), len(view.levels) - 1)
        image = sample(view.levels[level], places * 0.5**level, "bicubic").clamp(0, 1)
        flat = (view.landmarks[..., :2] - centre) @ matrix.mT / scale + middle
        return image, torch.cat((flat, view.landmarks[..., 2:] / scale), -1)

    def _openings(self, points: Tensor) -> Tensor:
        number, _ = rasterize(points, self.model.triangles, SIZE, SIZE, facing(points, self.model.triangles) > 0)
        regions = torch.where(number >= 0, self.model.regions[number.clamp_min(0)].long(), 0)
        return (regions > 0)[:, None].float()


class LearnedSegmenter:
    """The U-Net of both sets.

    Args:
        network: not changed.
        soft: give the mask v2's soft edge.
    """

    occluders = True

    def __init__(self, network: SegmentationUNet, soft: bool = True) -> None:
        self.network, self.soft = folded(network), soft
        self.known: Tensor | None = None

    def at(self, mask: Tensor | None) -> LearnedSegmenter:
        """The same with the target's mask ``(1, 1, 256, 256)`` known, 0 or 1."""
        copied = copy.copy(self)
        copied.known = mask
        return copied

    @torch.inference_mode()
    def faces(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """Which pixels are face, 0 or 1, ``(B, 1, S, S)``; the landmarks are not looked at."""
        mask = (self.network(resized(images, SIZE)).argmax(1, keepdim=True) == FACE).float()
        return resized(mask, images.shape[-1])

    @torch.inference_mode()
    def __call__(self, images: Tensor, landmarks: Tensor) -> Tensor:
        """See :class:`~fsgan_core.stages.segmentation.Segmenter`."""
        if not self.soft:
            return self.faces(images, landmarks)
        mask = self.faces(resized(images, SIZE), landmarks) if self.known is None else self.known.to(images)
        soft, hard = soft_erosion(mask)
        # The original's edge reaches 1 in one pixel that is not inside; a hair less tells the two apart.
        return resized(torch.where(hard > 0, hard, soft * (1 - 1e-6)), images.shape[-1])


class LearnedCompleter:
    """Gc of v2 or v1: draws the whole face anew, what is missing included.

    Args:
        network: not changed.
    """

    def __init__(self, network: MultiScaleResUNet) -> None:
        self.network = folded(network)

    @torch.inference_mode()
    def __call__(self, image: Tensor, confidence: Tensor, mask: Tensor) -> Tensor:
        """See :class:`~fsgan_core.stages.completion.Completer`; pixels of full confidence change too."""
        shown = (resized(confidence, SIZE) > 0.5).to(image)
        inputs = torch.cat([resized(image, SIZE) * shown, core(mask)], 1)
        return resized(self.network(image_pyramid(inputs))[0], image.shape[-1])


class LearnedBlender(FloatBlender):
    """Gb of v2 or v1.

    Args:
        network: not changed.
        soften: make a soft edge inside the mask; the mask of v2's segmentation has one.
        options: ``feather`` is used.
    """

    def __init__(self, network: MultiScaleResUNet, soften: bool, options: BlendOptions | None = None) -> None:
        super().__init__(options)
        self.network, self.soften = folded(network), soften

    def blend(self, source: Tensor, target: Tensor, mask: Tensor, color: ColorMatch | None, skins: Skins) -> Tensor:
        """See :class:`~fsgan_core.stages.blending.FloatBlender`; the network matches colours itself."""
        inside, frame = core(mask), resized(target, SIZE)
        moved = transfer(resized(source, SIZE), frame, inside)
        blend = self.network(image_pyramid(torch.cat([moved, frame, inside], 1)))[0]
        edge = feather(mask, self.options.feather) if self.soften else mask
        return torch.where(edge > 0, torch.lerp(target, resized(blend, target.shape[-1]), edge), target)


def path(source: Tensor, target: Tensor, steps: int) -> list[Tensor]:
    """Landmarks of v1's recurrent steps: the source's face turning towards the target's pose, then the target's.

    Args:
        source: ``(1, 68, 3)`` in pixels.
        target: ``(1, 68, 3)`` in pixels.
        steps: at least 1.

    Returns:
        ``steps`` tensors ``(1, 68, 3)``.

    Raises:
        ValueError: no step.
    """
    if steps < 1:
        raise ValueError(f"got {steps} steps, expected at least 1")
    start, end = source[0].cpu().double().numpy(), target[0].cpu().double().numpy()
    between = [step_landmarks(start, end, step / steps) for step in range(1, steps)]
    return [*(torch.from_numpy(points).to(target)[None] for points in between), target]


def core(mask: Tensor) -> Tensor:
    """The inside of a soft mask at the networks' size: ``(B, 1, 256, 256)``, 0 or 1."""
    return (resized(mask, SIZE) >= _CORE).to(mask)


def resized(images: Tensor, size: int) -> Tensor:
    """Images (bicubic) or masks of one channel (bilinear) at another size, in [0, 1]."""
    if images.shape[-1] == size:
        return images
    mode = "bilinear" if images.shape[1] == 1 else "bicubic"
    return F.interpolate(images, (size, size), mode=mode, align_corners=False, antialias=True).clamp(0, 1)
