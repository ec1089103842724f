"""Tracks and temporal smoothing."""

import re

import numpy as np
import pytest
import torch

from fsgan_core.ops.official_tracking import (
    link_boxes,
    motion,
    moving_mean,
    smooth_boxes,
    smooth_landmarks_98,
    smooth_logits,
)


def test_landmarks_and_poses(parity):
    case = parity("temporal_smoothing")
    landmarks = case.array("input/landmarks")
    case.check(moving_mean(landmarks, 7), "output/landmarks_mean7")
    case.check(motion(landmarks, 5), "output/landmarks_motion5")
    case.check(smooth_landmarks_98(landmarks), "output/landmarks_98_smoothed")
    case.check(moving_mean(case.array("input/poses"), 5), "output/poses_mean5")


def test_boxes(parity):
    case = parity("temporal_smoothing")
    boxes = case.array("input/detections")
    names = case.names("output/bboxes_smoothed_")
    assert names
    for name in names:
        center, size = (int(k) for k in name.split("_"))
        expected = f"output/bboxes_smoothed_{name}"
        case.check(smooth_boxes(boxes[: len(case.array(expected))], center, size), expected)


def test_segmentation(parity):
    case = parity("temporal_smoothing")
    logits = case["input/seg_logits"]
    case.check(smooth_logits(logits, 5, 0, 0), "output/seg_valid")
    for name in case.names("output/seg_reflect_"):
        before, after = (int(n) for n in name.split("_"))
        case.check(smooth_logits(logits, 5, before, after), f"output/seg_reflect_{name}")


@pytest.fixture
def tracks(parity):
    case = parity("tracking_sequences")
    names = sorted(case.names("input/frame_"))
    given = case.meta["params"]
    found = link_boxes(
        [case.array(f"input/frame_{name}") for name in names],
        min_overlap=given["iou_thresh"],
        min_length=given["min_length"],
        min_size=given["min_size"],
        crop_scale=given["crop_scale"],
    )
    return case, found


def test_tracks(tracks):
    case, found = tracks
    expected = case.meta["sequences"]["raw"]
    assert [(number, track.start, len(track.boxes)) for number, track in found.items()] == [
        (s["id"], s["start"], s["length"]) for s in expected
    ]
    for sequence in expected:
        boxes = found[sequence["id"]].boxes
        case.check(boxes, f"output/raw_seq{sequence['id']:02d}")
        assert np.mean(boxes[:, 3] - boxes[:, 1]) == pytest.approx(sequence["size_avg"], rel=1e-5)
    assert max(len(track.boxes) for track in found.values()) == len(found[case.meta["longest"]].boxes)


def test_smoothed_tracks(tracks):
    case, found = tracks
    given = case.meta["params"]
    names = [name for name in case.names("output/smooth_seq") if re.fullmatch(r"\d+", name)]
    assert len(names) == len(found)
    for name in names:
        boxes = smooth_boxes(found[int(name)].boxes, given["center_kernel"], given["size_kernel"])
        case.check(boxes, f"output/smooth_seq{name}")


def test_smoothing_does_not_depend_on_batches(parity):
    logits = parity("temporal_smoothing")["input/seg_logits"]
    whole = smooth_logits(logits)
    assert whole.shape == logits.shape
    torch.testing.assert_close(smooth_logits(logits[:7])[:5], whole[:5])
