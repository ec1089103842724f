"""Every metric: a closed form or an independent implementation, and known degradations, in the right direction."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsgan_core.evaluation import metrics
from fsgan_core.ops.face_model import FaceModel
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.landmarks import to_ibug68
from fsgan_core.stages.pose import load_face_model


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_face_model()


@pytest.fixture(scope="module")
def image(face: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def mask() -> Tensor:
    """An ellipse in the middle."""
    y, x = torch.meshgrid(torch.arange(256) - 127.5, torch.arange(256) - 127.5, indexing="ij")
    return ((x / 60) ** 2 + (y / 80) ** 2 < 1).float()[None, None]


def blurred(image: Tensor, sigma: float) -> Tensor:
    picture = cv2.GaussianBlur(image[0].permute(1, 2, 0).numpy(), (0, 0), sigma)
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


def landmarks(model: FaceModel, pose: tuple[float, float, float] = (0, 0, 0), scale: float = 60) -> Tensor:
    turned = scale * model.mean[None] @ rotation_matrix(torch.tensor([pose], dtype=torch.float32)).mT
    return turned + torch.tensor((128.0, 128.0, 0.0))


def rising(values: list[Tensor]) -> bool:
    return all(float(a) < float(b) for a, b in zip(values, values[1:], strict=False))


def test_identity_is_a_distance_and_drift_that_of_ends() -> None:
    one, other = torch.tensor([[3.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 4.0], [1.0, 1.0]])
    assert metrics.identity_distance(one, other).tolist() == [5.0, 0.0]
    moved = torch.arange(9.0)[:, None] * torch.tensor([[0.3, 0.4]])
    assert float(metrics.identity_drift(moved)) == pytest.approx(6 * 0.5)
    assert float(metrics.identity_drift(moved[:1])) == 0
    assert float(metrics.identity_drift(2 * moved)) > float(metrics.identity_drift(moved))


def test_psnr_is_its_formula_under_the_mask(image: Tensor, mask: Tensor) -> None:
    changed = torch.where(mask > 0, (image * 0.5 + 0.25) + 0.1, 0.0)
    kept = image * 0.5 + 0.25
    assert float(metrics.psnr(changed, kept, mask)) == pytest.approx(20, abs=1e-3)
    assert float(metrics.psnr(image, image)) == pytest.approx(100)


def test_ssim_is_that_of_wang(image: Tensor, mask: Tensor) -> None:
    """Against the formula written out with OpenCV's Gaussian."""
    noisy = (image + 0.05 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    luma = [
        (x[0] * torch.tensor((0.299, 0.587, 0.114))[:, None, None]).sum(0).numpy().astype(float) for x in (image, noisy)
    ]

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    (a, b), (c1, c2) = luma, (0.01**2, 0.03**2)
    top = (2 * mean(a) * mean(b) + c1) * (2 * (mean(a * b) - mean(a) * mean(b)) + c2)
    bottom = (mean(a) ** 2 + mean(b) ** 2 + c1) * (mean(a * a) - mean(a) ** 2 + mean(b * b) - mean(b) ** 2 + c2)
    inside = mask[0, 0].numpy()
    expected = float((top / bottom * inside).sum() / inside.sum())
    assert float(metrics.ssim(noisy, image, mask)) == pytest.approx(expected, abs=2e-3)
    batch = metrics.ssim(torch.cat((image, noisy)), torch.cat((image, image)), torch.cat((mask, mask)))
    torch.testing.assert_close(batch, torch.tensor([1.0, expected]), atol=2e-3, rtol=0)


@pytest.mark.parametrize("worsen", [blurred, lambda image, amount: torch.roll(image, round(2 * amount), -1)])
def test_image_measures_fall_with_blur_and_shift(
    image: Tensor, mask: Tensor, worsen: Callable[[Tensor, float], Tensor]
) -> None:
    results = [worsen(image, amount) for amount in (0.5, 1.0, 2.0, 4.0)]
    for measure in (metrics.ssim, metrics.psnr):
        assert rising([-measure(result, image, mask) for result in results])


def test_pose_takes_the_short_way_round() -> None:
    one = torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 179.0], [10.0, 0.0, 0.0]])
    other = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, -179.0], [-10.0, 0.0, 0.0]])
    torch.testing.assert_close(metrics.pose_error(one, other), torch.tensor([5.0, 2.0, 20.0]))


def test_landmarks_are_measured_by_point_and_as_one_vector(model: FaceModel) -> None:
    face = landmarks(model)
    for shift in (1.0, 2.0, 5.0):
        moved = face + torch.tensor((0.6 * shift, 0.8 * shift, 99.0))
        assert float(metrics.landmark_error(moved, face)) == pytest.approx(shift, rel=1e-4)
        assert float(metrics.landmark_norm(moved, face)) == pytest.approx(shift * math.sqrt(68), rel=1e-4)
        assert float(metrics.landmark_error(to_ibug68(moved), to_ibug68(face))) == pytest.approx(shift, rel=1e-4)


def test_without_pose_leaves_only_the_expression(model: FaceModel) -> None:
    straight, turned = landmarks(model), landmarks(model, (30, -10, 15), 80)
    smile = model.expression[[n for n, name in enumerate(model.names) if name.startswith("mouthSmile")]].sum(0)
    ends = [landmarks(model) + 60 * amount * smile for amount in (0.0, 0.5, 1.0)]
    plain = metrics.without_pose(model, straight)
    assert float(metrics.landmark_error(metrics.without_pose(model, turned, straight), plain)) < 1e-3
    assert rising([metrics.landmark_error(metrics.without_pose(model, end), plain) for end in ends])
    assert float(metrics.landmark_error(turned, straight)) > 10


def test_openness_is_gap_over_width_whatever_the_pose(model: FaceModel) -> None:
    face = torch.zeros(1, 478, 3)
    face[0, [78, 308]] = torch.tensor([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]])
    face[0, [87, 14, 317], 1] = torch.tensor([2.0, 3.0, 4.0])
    assert float(metrics.openness(face, "mouth")) == pytest.approx(0.3)
    straight, turned = landmarks(model), landmarks(model, (35, 10, 5))
    for part in ("mouth", "eyes"):
        assert float(metrics.openness_error(straight, turned, part)) < 1e-4
    opened = []
    for gap in (0.0, 3.0, 6.0, 12.0):
        wide = straight.clone()
        wide[:, [87, 14, 317, 144, 145, 153, 380, 374, 373], 1] += gap
        opened.append(wide)
    for part in ("mouth", "eyes"):
        assert rising([metrics.openness_error(wide, straight, part) for wide in opened])


def test_sharpness_of_a_wave_is_what_its_blur_takes(mask: Tensor) -> None:
    """A Gaussian of s leaves exp(-(ws)^2/2) of a wave of angular frequency w."""
    x = torch.arange(256.0)
    for period in (4, 8, 16):
        wave = 0.5 + 0.2 * torch.sin(2 * torch.pi * x / period).expand(1, 3, 256, 256)
        expected = 0.2 / math.sqrt(2) * (1 - math.exp(-((2 * math.pi / period * 2) ** 2) / 2))
        assert float(metrics.sharpness(wave, mask)) == pytest.approx(expected, rel=0.03)


def test_sharpness_falls_with_blur(image: Tensor, mask: Tensor) -> None:
    ratios = [metrics.sharpness_ratio(blurred(image, sigma), image, mask) for sigma in (3.0, 1.5, 0.8, 0.4)]
    assert rising(ratios)
    assert 0 < float(ratios[0]) < 0.4
    assert float(metrics.sharpness_ratio(image, image, mask)) == 1


def test_seam_is_the_step_across_the_border(image: Tensor, mask: Tensor) -> None:
    """On plain grey a step of lightness is all there is: CIEDE2000 of two greys, by scikit-image."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    grey = torch.full((1, 3, 256, 256), 0.5)
    brighter = torch.where(mask > 0, 0.6, grey)
    expected = float(deltaE_ciede2000(rgb2lab(np.full((1, 1, 3), 0.5)), rgb2lab(np.full((1, 1, 3), 0.6)))[0, 0])
    assert float(metrics.seam(brighter, grey, mask)) == pytest.approx(expected, rel=0.08)
    assert float(metrics.seam(image, image, mask)) == 0
    steps = [torch.where(mask > 0, (image + change).clamp(0, 1), image) for change in (0.0, 0.02, 0.05, 0.1, 0.2)]
    assert rising([metrics.seam(step, image, mask) for step in steps])
    soft = torch.lerp(image, steps[-1], torch.nn.functional.avg_pool2d(mask, 31, 1, 15))
    assert float(metrics.seam(soft, image, mask)) < 0.5 * float(metrics.seam(steps[-1], image, mask))


def test_border_color_sees_a_cast(image: Tensor, mask: Tensor) -> None:
    casts = [
        torch.where(mask > 0, image * torch.tensor((1.0, 1 - cast, 1 - cast))[:, None, None], image)
        for cast in (0.0, 0.05, 0.1, 0.2, 0.4)
    ]
    values = [metrics.border_color(cast, image, mask) for cast in casts]
    assert rising(values)
    assert float(values[0]) == 0
    elsewhere = torch.where(mask > 0, image, 0.0)
    assert float(metrics.border_color(elsewhere, image, mask)) < 0.2


def test_a_mask_without_border_has_no_seam(image: Tensor) -> None:
    for mask in (torch.zeros(1, 1, 256, 256), torch.ones(1, 1, 256, 256)):
        assert float(metrics.seam(image, 1 - image, mask)) == 0


def test_jitter_ignores_steady_motion(model: FaceModel) -> None:
    frames = torch.arange(6.0)[:, None, None]
    steady = landmarks(model) + frames * torch.tensor((2.0, -1.0, 0.0))
    assert float(metrics.jitter(steady).max()) < 1e-3
    sign = torch.tensor((1.0, -1.0, 1.0, -1.0, 1.0, -1.0))[:, None, None]
    for amount in (0.5, 1.0, 2.0):
        shaken = steady + amount * sign * torch.tensor((1.0, 0.0, 0.0))
        torch.testing.assert_close(metrics.jitter(shaken), torch.full((4,), 4 * amount), rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="needs 3"):
        metrics.jitter(steady[:2])


def test_flicker_follows_the_face_and_ignores_steady_light(image: Tensor, model: FaceModel) -> None:
    face = landmarks(model)
    shifts = [torch.roll(image, 3 * n, -1) for n in range(4)]
    points = [face + torch.tensor((3.0 * n, 0.0, 0.0)) for n in range(4)]
    followed = torch.cat([metrics.face_colors(a, b) for a, b in zip(shifts, points, strict=True)])
    assert float(metrics.flicker(followed).max()) < 0.01
    brighter = torch.cat([metrics.face_colors((0.5 * image + 0.05 * n), face) for n in range(4)])
    assert float(metrics.flicker(brighter).max()) < 0.01
    for amount in (0.01, 0.03):
        blinking = torch.cat([metrics.face_colors(0.5 * image + 0.1 + amount * (n % 2), face) for n in range(4)])
        torch.testing.assert_close(metrics.flicker(blinking), torch.full((2,), 2 * 255 * amount), rtol=1e-3, atol=0.02)


def test_coverage_counts_frames_with_a_face() -> None:
    assert metrics.coverage(["swapped", "no_face", "reenacted", "kept"]) == 0.5
    assert metrics.coverage([]) == 0
