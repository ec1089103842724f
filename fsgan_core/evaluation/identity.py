"""Identity: who a face looks like, as a descriptor.

The paper compares faces by dlib's descriptor (King, Dlib-ml, 2009; a residual network of 29 layers on 150 px chips,
public domain). Its weights come with the package ``face_recognition_models``; this module reads them and runs the
network in torch, which is several times as fast as dlib on a CPU, works on every device and needs no compiled library.
The result is dlib's own up to rounding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..errors import FSGANError, WeightsError
from ..ops.landmarks import to_ibug68
from ..streams import Frame

SAME_PERSON = 0.6
"""Distance of dlib's descriptors below which two faces count as one person's (dlib's own threshold)."""

_CHIP = 150
_POINTS = (45, 42, 36, 39, 33)
"""The iBUG points of dlib's alignment: corners of both eyes, outer first, and the base of the nose."""
_PLACES = (
    *((0.8595674595992, 0.2134981538014), (0.6460604764104, 0.2289674387677), (0.1205750620789, 0.2137274526848)),
    *((0.3340850613712, 0.2290642403242), (0.4901123135679, 0.6277975316475)),
)
"""Where they lie in a face of side 1; the chip has a quarter of that side around it."""
_PADDING = 0.25
_MEAN = (122.782, 117.001, 104.298)
_LEVELS = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Channels, blocks, and whether the first block halves the picture."""


class Embedder(Protocol):
    """Describes faces so that the Euclidean distance says how alike two are."""

    def __call__(self, frames: Sequence[Frame], landmarks: Sequence[NDArray[np.float32]]) -> Tensor:
        """Describe.

        Args:
            frames: uint8 ``(H, W, 3)``.
            landmarks: ``(478, 2 or 3)`` of the face in each, pixels of the frame.

        Returns:
            ``(B, D)`` float32 on the CPU.
        """


class _Block(nn.Module):
    """Two convolutions and a shortcut; what is smaller is filled up with zeros."""

    def __init__(self, given: int, made: int, halved: bool) -> None:
        super().__init__()
        self.halved = halved
        self.first = nn.Conv2d(given, made, 3, 2, 0) if halved else nn.Conv2d(given, made, 3, 1, 1)
        self.second = nn.Conv2d(made, made, 3, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C', H', W')``."""
        short = functional.avg_pool2d(image, 2) if self.halved else image
        made = self.second(functional.relu(self.first(image)))
        size = [max(one, other) for one, other in zip(short.shape[1:], made.shape[1:], strict=True)]
        return functional.relu(_filled(short, size) + _filled(made, size))


class FaceNet(nn.Module):
    """dlib's face recognition network: chips ``(B, 3, 150, 150)`` in [0, 1] to descriptors ``(B, 128)``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, 2)
        blocks, given = [], 32
        for made, count, halved in _LEVELS:
            blocks += [_Block(given if not n else made, made, halved and not n) for n in range(count)]
            given = made
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(256, 128, bias=False)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)

    def forward(self, chips: Tensor) -> Tensor:
        """See the class."""
        image = (chips * 255 - self.get_buffer("mean")) / 256
        image = functional.max_pool2d(functional.relu(self.stem(image)), 3, 2)
        return self.head(self.blocks(image).mean((2, 3)))


class DlibEmbedder:
    """dlib's descriptor; see the module."""

    def __init__(self, net: FaceNet, device: torch.device | str = "cpu") -> None:
        self.net = net.to(device).eval()
        self.device = torch.device(device)

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame], landmarks: Sequence[NDArray[np.float32]]) -> Tensor:
        """See :class:`Embedder`."""
        chips = np.stack([chip(frame, points) for frame, points in zip(frames, landmarks, strict=True)])
        images = torch.from_numpy(chips).to(self.device).permute(0, 3, 1, 2).float() / 255
        return self.net(images).cpu()


def chip(frame: Frame, landmarks: NDArray[np.float32]) -> Frame:
    """Cut out the face, upright, in a square of 150 px, as dlib does: eye corners and nose in fixed places."""
    seen = to_ibug68(landmarks)[list(_POINTS), :2].astype(np.float64) - 0.5
    places = (np.array(_PLACES) + _PADDING) / (1 + 2 * _PADDING) * _CHIP
    matrix = _similarity(places, seen)
    # Averaged to at most twice the chip's scale first, so that sampling does not alias.
    factor = int(np.hypot(*matrix[:, 0]) / 2)
    if factor > 1:
        corners = matrix @ np.array([[0, _CHIP, 0, _CHIP], [0, 0, _CHIP, _CHIP], [1, 1, 1, 1]])
        left, top = np.clip(corners.min(1).astype(int), 0, None)
        right, bottom = corners.max(1).astype(int) + 2 * factor
        part = np.ascontiguousarray(frame[top:bottom, left:right])
        size = (max(1, part.shape[1] // factor), max(1, part.shape[0] // factor))
        part = part[: size[1] * factor, : size[0] * factor]
        frame = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        matrix = _similarity(places, (seen + 0.5 - (left, top)) / factor - 0.5)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, matrix, (_CHIP, _CHIP), flags=flags).astype(np.uint8)


def load_dlib(device: torch.device | str = "cpu") -> Embedder:
    """Load dlib's descriptor.

    Raises:
        FSGANError: its package is not installed.
        WeightsError: the file is not what it should be.
    """
    return DlibEmbedder(_loaded(), device)


EMBEDDERS: dict[str, Callable[[torch.device | str], Embedder]] = {"dlib": load_dlib}
"""Face descriptors by name: each loads an :class:`Embedder` for a device or raises ``FSGANError``."""


def load_if_installed(device: torch.device | str = "cpu") -> Embedder | None:
    """Load dlib's descriptor; None where its package is not installed."""
    return load_dlib(device) if find_spec("face_recognition_models") else None


def weights_file() -> Path:
    """The file of dlib's weights.

    Raises:
        FSGANError: its package is not installed.
    """
    found = find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        raise FSGANError("identity needs dlib's weights; run: pip install face_recognition_models")
    return Path(found.submodule_search_locations[0]) / "models" / "dlib_face_recognition_resnet_model_v1.dat"


@cache
def _loaded() -> FaceNet:
    path, net = weights_file(), FaceNet()
    try:
        tensors = list(_tensors(path.read_bytes()))
        convs = [layer for layer in net.modules() if isinstance(layer, nn.Conv2d)]
        for number, layer in enumerate(convs):
            weights, (gain, shift) = tensors[2 * number], tensors[2 * number + 1].chunk(2)
            count = layer.out_channels
            kernel, bias = weights[:-count].view_as(layer.weight), weights[-count:]
            layer.weight.data = kernel * gain[:, None, None, None]
            layer.bias = nn.Parameter(bias * gain + shift)
        net.head.weight.data = tensors[-1].view(256, 128).T.contiguous()
    except (OSError, ValueError, IndexError, RuntimeError) as error:
        raise WeightsError(f"{path} is not dlib's face recognition network ({error}); reinstall its package") from error
    return net.requires_grad_(False)


def _tensors(data: bytes) -> Iterator[Tensor]:
    """The layers' parameters in dlib's serialisation, from the picture on: convolution, scale and shift, ..., head.

    Each follows the name of its kind: a version, four sizes (each a count of bytes, then the bytes, lowest first) and
    little-endian floats.
    """
    for name in re.finditer(rb"\x05con_4|\x07affine_|\x04fc_2\x01\x80\x02\x00\x01", data):
        place, sizes = name.end(), []
        if data[place : place + 2] == b"\x01\x02":
            place += 2
            for _ in range(4):
                width = data[place]
                sizes.append(int.from_bytes(data[place + 1 : place + 1 + width], "little"))
                place += 1 + width
            count = int(np.prod(sizes))
            yield torch.from_numpy(np.frombuffer(data, "<f4", count, place).copy())


def _filled(image: Tensor, size: Sequence[int]) -> Tensor:
    missing = [wanted - found for wanted, found in zip(size, image.shape[1:], strict=True)]
    return functional.pad(image, (0, missing[2], 0, missing[1], 0, missing[0])) if any(missing) else image


def _similarity(points: NDArray[np.float64], goal: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix ``(2, 3)`` of the scaling, rotation and shift that brings points ``(P, 2)`` nearest to their goal."""
    middle, centre = points.mean(0), goal.mean(0)
    one, other = (points - middle) @ (1, 1j), (goal - centre) @ (1, 1j)
    turn = (one.conj() @ other) / max(float((np.abs(one) ** 2).sum()), 1e-12)
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack((matrix, centre - matrix @ middle))
