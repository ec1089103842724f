"""Photos: crops, masks, steps and pasting as published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..networks.fast import folded
from ..networks.hopenet import Hopenet
from ..networks.hrnet import HRNet
from ..networks.ms_res_unet import MultiScaleResUNet
from ..networks.seg_unet import SegmentationUNet
from ..ops.heatmaps import landmarks_from_heatmaps
from ..ops.landmarks import to_ibug68
from ..ops.official_geometry import Box, Frame, crop, paste, rotate, scale_box
from ..ops.official_masks import image_pyramid, remove_inner_mouth
from ..ops.official_swap import FACE, Parts, SwapInputs, SwapNetworks, SwapStep, swap_step, swap_step_v1
from ..ops.official_views import OfficialAppearanceMap, build_map
from ..ops.wflw import to_wflw98
from ..stages.official import CROP_SCALES, SIZE, path
from ..stages.official_files import OfficialFiles

WeightSet = Literal["v2", "v1", "v1-stepwise"]
_POSE_SIZE = 224


@dataclass(frozen=True, kw_only=True)
class OfficialOptions:
    """How the original swaps."""

    parts: Parts = "Gr+Gc+Gb"
    """generators in use, the ablation of the paper; the segmentation always is; default all"""
    steps: int = 2
    """v1-stepwise: steps from the source's face to the target's, at least 1; default 2"""
    remove_mouth: bool = False
    """v2: cut the inside of the mouth out of the mask, so that the target's teeth stay; default off"""
    radius: float = 2.0
    """degrees within which one source view is enough; default 2"""


@dataclass(frozen=True, kw_only=True)
class OfficialNetworks:
    """The networks of one set.

    Attributes:
        weight_set: which.
        networks: the four of a swap.
        device: where they are.
        landmarks: measures 98 points (v2); without it they are derived from dense ones.
        pose: measures yaw, pitch, roll; without it those given with the faces count.
    """

    weight_set: WeightSet
    networks: SwapNetworks
    device: torch.device = torch.device("cpu")
    landmarks: HRNet | None = None
    pose: Hopenet | None = None

    @staticmethod
    def load(
        weight_set: WeightSet, device: str | torch.device = "cpu", folders: Sequence[Path] = ()
    ) -> OfficialNetworks:
        """Load a set, faster than trained but equal to 1e-4.

        Args:
            weight_set: which.
            device: of the networks.
            folders: searched besides ``$FSGAN_MODELS`` and the user's.

        Raises:
            WeightsError: a file is missing or damaged.
        """
        place, base = torch.device(device), weight_set.partition("-")[0]
        files = OfficialFiles(place, folders)
        networks = SwapNetworks(
            reenactment=folded(files.network(weight_set, "reenactment", MultiScaleResUNet)),
            segmentation=folded(files.network(base, "segmentation", SegmentationUNet)),
            completion=folded(files.network(base, "completion", MultiScaleResUNet)),
            blending=folded(files.network(base, "blending", MultiScaleResUNet)),
        )
        landmarks = files.optional("hr18_wflw_landmarks", "landmarks", HRNet) if weight_set == "v2" else None
        pose = files.optional("hopenet_robust_alpha1", "pose", Hopenet)
        return OfficialNetworks(weight_set=weight_set, networks=networks, device=place, landmarks=landmarks, pose=pose)


@dataclass(frozen=True)
class Photo:
    """A picture with one face in it.

    Attributes:
        frame: uint8 ``(H, W, 3)``.
        box: ``(4,)`` left, top, right, bottom around the face in pixels, as a detector gives it.
        landmarks: ``(478, 3)`` in pixels.
        pose: ``(3,)`` yaw, pitch, roll in degrees.
    """

    frame: Frame
    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    pose: NDArray[np.float32]


@dataclass(frozen=True)
class OfficialSwap:
    """The result for one photo.

    Attributes:
        frame: uint8 ``(H, W, 3)``, the target with the finished square in it.
        step: every intermediate picture.
        report: what was done, ready for JSON.
    """

    frame: Frame
    step: SwapStep
    report: dict[str, Any]


@dataclass(frozen=True)
class FaceCrop:
    """A face at the networks' size.

    Attributes:
        picture: uint8 ``(256, 256, 3)``.
        points: ``(98, 2)`` or ``(68, 3)`` in its pixels.
        pose: yaw, pitch, roll in degrees.
        box: left, top, width, height in the photo.
        mask: ``(1, 1, 256, 256)`` face, 0 or 1; None: the segmentation network's.
    """

    picture: Frame
    points: NDArray[np.float32]
    pose: NDArray[np.float32]
    box: Box
    mask: Tensor | None = None


@dataclass(frozen=True)
class Views:
    """The source's crops and their map."""

    crops: Sequence[FaceCrop]
    appearance: OfficialAppearanceMap


@torch.inference_mode()
def swap_photo(
    sources: Sequence[Photo], target: Photo, networks: OfficialNetworks, options: OfficialOptions | None = None
) -> OfficialSwap:
    """Swap the face of one person onto that of another.

    Args:
        sources: photos of one person; those near the target's pose are mixed.
        target: the photo that is kept.
        networks: of one weight set.
        options: see :class:`OfficialOptions`.

    Raises:
        ValueError: no source, or an option out of range.
    """
    options = options or OfficialOptions()
    views = prepared(sources, networks, options.radius)
    return swap_crop(views, target.frame, cut(target, networks), networks, options)


def prepared(sources: Sequence[Photo], networks: OfficialNetworks, radius: float) -> Views:
    """Cut the source's faces out and make their map.

    Raises:
        ValueError: no source.
    """
    if not sources:
        raise ValueError("found no source photo, expected at least one")
    crops = [cut(photo, networks) for photo in sources]
    return Views(crops, build_map(np.stack([view.pose for view in crops]).astype(np.float64), radius))


def swap_crop(
    views: Views, frame: Frame, goal: FaceCrop, networks: OfficialNetworks, options: OfficialOptions
) -> OfficialSwap:
    """Swap one face that has been cut out of a frame, and paste it there."""
    places, all_weights = views.appearance.query(float(goal.pose[0]), float(goal.pose[1]))
    # Corners of the map, which are no views, have no weight.
    used = [(int(views.appearance.kept[p]), float(w)) for p, w in zip(places, all_weights, strict=True) if w > 0]
    chosen, weights = zip(*used, strict=True)
    inputs = _inputs([views.crops[number] for number in chosen], weights, goal, networks, options)
    if networks.weight_set == "v2":
        step = swap_step(networks.networks, inputs, parts=options.parts)
    else:
        step = swap_step_v1(networks.networks, inputs, parts=options.parts)
    finished = (step.result[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    report = {
        "weights": networks.weight_set,
        "parts": options.parts,
        "steps": options.steps if networks.weight_set == "v1-stepwise" else 1,
        "box": goal.box.tolist(),
        "pose": [round(float(angle), 2) for angle in goal.pose],
        "views": {number: round(weight, 4) for number, weight in used},
        "face": round(float(inputs.mask.mean()), 4),
    }
    return OfficialSwap(paste(frame, finished, goal.box), step, report)


def cut(photo: Photo, networks: OfficialNetworks) -> FaceCrop:
    """Cut a face out and measure it as the set does."""
    corner, far = photo.box[:2].astype(np.float64), photo.box[2:].astype(np.float64)
    box = scale_box(np.concatenate([corner, far - corner]), CROP_SCALES[networks.weight_set])
    square = crop(photo.frame, box)
    picture = np.asarray(cv2.resize(square, (SIZE, SIZE), interpolation=_filter(networks, box)), np.uint8)
    dense = (photo.landmarks - [*box[:2], 0]) * (SIZE / box[2])
    if networks.weight_set != "v2":
        points = to_ibug68(dense)
    elif networks.landmarks is None:
        points = to_wflw98(torch.from_numpy(dense.astype(np.float32))).numpy()[:, :2]
    else:
        heatmaps = networks.landmarks(tensor(picture, networks))
        points = (landmarks_from_heatmaps(heatmaps)[0] * SIZE).cpu().numpy()
    pose = photo.pose if networks.pose is None else _pose(square, networks)
    return FaceCrop(picture, points.astype(np.float32), pose, box)


def _filter(networks: OfficialNetworks, box: Box) -> int:
    """v2 is bicubic also when it shrinks; v1 averages."""
    if networks.weight_set == "v2":
        return cv2.INTER_CUBIC
    return cv2.INTER_AREA if box[2] > SIZE else cv2.INTER_LINEAR


def _pose(square: Frame, networks: OfficialNetworks) -> NDArray[np.float32]:
    if networks.pose is None:
        raise ValueError("no pose network in the set")
    small = np.asarray(cv2.resize(square, (_POSE_SIZE, _POSE_SIZE), interpolation=cv2.INTER_CUBIC), np.uint8)
    yaw, pitch, roll = networks.pose(tensor(small, networks))[0].tolist()
    return np.array((-yaw, pitch, roll), np.float32)


def _inputs(
    views: Sequence[FaceCrop],
    weights: Sequence[float],
    goal: FaceCrop,
    networks: OfficialNetworks,
    options: OfficialOptions,
) -> SwapInputs:
    target = tensor(goal.picture, networks)
    mask = goal.mask
    if mask is None:
        mask = (networks.networks.segmentation(target).argmax(1, keepdim=True) == FACE).float()
    points, steps = torch.from_numpy(goal.points)[None].to(target), None
    if networks.weight_set == "v2":
        pictures = [rotate(view.picture, view.points, float(view.pose[2] - goal.pose[2]))[0] for view in views]
        levels = [[tensor(p, networks), tensor(np.asarray(cv2.pyrDown(p), np.uint8), networks)] for p in pictures]
        points = points[..., :2] / SIZE
        if options.remove_mouth:
            without = remove_inner_mouth(mask[0, 0].byte().cpu().numpy(), points[0].cpu().numpy())
            mask = torch.from_numpy(without).to(target)[None, None]
    else:
        levels = [image_pyramid(tensor(view.picture, networks)) for view in views]
    if networks.weight_set == "v1-stepwise":
        ways = [path(torch.from_numpy(view.points)[None].to(target), points, options.steps) for view in views]
        steps = torch.stack([torch.stack(way, 1) for way in ways], 1)
    stacked = tuple(torch.stack(level, 1) for level in zip(*levels, strict=True))
    shares = torch.tensor([list(weights)], device=target.device)
    return SwapInputs(views=stacked, weights=shares, landmarks=points, target=target, mask=mask, path=steps)


def tensor(picture: Frame, networks: OfficialNetworks) -> Tensor:
    """A picture as ``(1, 3, H, W)`` in [0, 1] where the networks are."""
    return torch.from_numpy(np.ascontiguousarray(picture)).to(networks.device).permute(2, 0, 1)[None].float() / 255
