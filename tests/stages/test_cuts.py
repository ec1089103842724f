import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fsgan_core.stages.cuts import CutDetector, CutOptions

MEDIA = Path(os.environ.get("FSGAN_MEDIA", Path(__file__).parents[3] / "shared" / "media")) / "video"


def scene(seed, size=(240, 320)):
    """A colourful picture with large and small shapes."""
    rng = np.random.default_rng(seed)
    picture = np.full((*size, 3), rng.integers(40, 200, 3), np.uint8)
    for _ in range(40):
        centre = [int(v) for v in rng.integers(0, (size[1], size[0]))]
        cv2.circle(picture, centre, int(rng.integers(8, 50)), [int(v) for v in rng.integers(0, 255, 3)], -1)
    return cv2.GaussianBlur(picture, (5, 5), 0)


def cuts(frames, **options):
    detector = CutDetector(CutOptions(**options))
    return [number for number, frame in enumerate(frames) if detector.is_cut(frame)]


def pan(picture, step, count=8):
    """The left part of the picture, moving to the right."""
    return [picture[:, step * number : step * number + 160] for number in range(count)]


def test_a_cut_is_found_where_it_is():
    assert cuts([scene(1)] * 5 + [scene(2)] * 5 + [scene(3)] * 2) == [5, 10]


def test_the_first_frame_is_no_cut():
    assert cuts([scene(1)]) == []


def test_cuts_between_many_scenes():
    found = cuts([scene(seed) for seed in range(40) for _ in range(2)])
    assert set(found) <= set(range(2, 80, 2)) and len(found) >= 38


def test_noise_is_no_cut():
    rng = np.random.default_rng(0)
    frames = [np.clip(scene(1) + rng.normal(0, 12, (240, 320, 3)), 0, 255).astype(np.uint8) for _ in range(8)]
    assert cuts(frames) == []


@pytest.mark.parametrize("step", [3, 10, 20])
def test_a_moving_camera_is_no_cut(step):
    assert cuts(pan(scene(1), step)) == []


@pytest.mark.parametrize(("gain", "offset"), [(1.2, 150), (1.5, 60), (0.4, 0), (1, 255)])
def test_a_flash_is_no_cut(gain, offset):
    flash = np.clip(scene(1) * float(gain) + offset, 0, 255).astype(np.uint8)
    assert cuts([scene(1)] * 3 + [flash] + [scene(1)] * 3) == []


def test_a_fade_is_no_cut():
    assert cuts([(scene(1) * (number / 12)).astype(np.uint8) for number in range(12, -1, -1)]) == []


def test_a_fade_through_black_is_one_cut():
    fade = [number / 8 for number in range(8, -1, -1)]
    frames = [scene(1) * part for part in fade] + [scene(2) * part for part in fade[::-1]]
    assert len(cuts([frame.astype(np.uint8) for frame in frames])) == 1


def test_something_large_passing_the_face_is_no_cut():
    frames = []
    for left in range(-200, 320, 40):
        frame = scene(1)
        cv2.rectangle(frame, (left, 100), (left + 160, 240), (200, 150, 120), -1)
        frames.append(frame)
    assert cuts(frames) == []


def test_the_size_may_change():
    assert cuts([scene(1), cv2.resize(scene(1), (1280, 960)), scene(2, (33, 47))]) == [2]


def test_tiny_frames_do_not_fail():
    assert cuts([np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)]) == []


@pytest.mark.skipif(not MEDIA.is_dir(), reason="FSGAN_MEDIA is not there")
@pytest.mark.parametrize("name", sorted(path.name for path in MEDIA.glob("*")))
def test_real_clips(name):
    detector = CutDetector()
    with av.open(str(MEDIA / name)) as container:
        frames = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
        found = [number for number, frame in zip(range(60), frames, strict=False) if detector.is_cut(frame)]
    assert found == ([50] if name == "scenecut_d18_d3.mp4" else [])
