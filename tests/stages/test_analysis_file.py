from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from fsgan_core.errors import WeightsError
from fsgan_core.faces import Analysis, FaceSequence, Track
from fsgan_core.stages.analysis import load_analysis, save_analysis
from fsgan_core.weights.checkpoint import save_weights


def analysis(rate="30000/1001"):
    random = np.random.default_rng(0)
    faces = []
    for start, frames in ((0, 4), (2, 3)):
        corner = random.uniform(-50, 1500, (frames, 2))
        boxes = np.concatenate([corner, corner + random.uniform(40, 400, (frames, 2))], 1).astype(np.float32)
        spot = random.uniform(-0.6, 0.6, (frames, 478, 3))
        side = (boxes[:, 2:] - boxes[:, :2]).max(1)[:, None, None]
        landmarks = spot * side + np.pad((boxes[:, :2] + boxes[:, 2:]) / 2, ((0, 0), (0, 1)))[:, None]
        poses = random.normal(size=(frames, 3)).astype(np.float32)
        scores = random.random(frames).astype(np.float32)
        faces.append(FaceSequence(Track(start, boxes), landmarks.astype(np.float32), poses, scores))
    return Analysis((1920, 1080), Fraction(rate), 7, (3, 5), tuple(faces))


def test_round_trip(tmp_path):
    before = analysis()
    save_analysis(tmp_path / "clip.safetensors", before)
    after = load_analysis(tmp_path / "clip.safetensors")
    assert (after.size, after.rate, after.frame_count, after.cuts) == ((1920, 1080), Fraction(30000, 1001), 7, (3, 5))
    for one, other in zip(before.faces, after.faces, strict=True):
        assert other.track.start == one.track.start
        np.testing.assert_array_equal(other.track.boxes, one.track.boxes)
        np.testing.assert_array_equal(other.poses, one.poses)
        np.testing.assert_array_equal(other.scores, one.scores)
        side = (one.track.boxes[:, 2:] - one.track.boxes[:, :2]).max(1)[:, None, None]
        assert (np.abs(other.landmarks - one.landmarks) / side).max() < 4e-4
        assert other.landmarks.dtype == np.float32


def test_a_clip_without_faces(tmp_path):
    empty = replace(analysis("0"), faces=())
    save_analysis(tmp_path / "still.safetensors", empty)
    assert load_analysis(tmp_path / "still.safetensors") == empty


def test_incomplete_files_are_refused(tmp_path):
    path = tmp_path / "broken.safetensors"
    config = {"size": [2, 2], "rate": "25", "frame_count": 1, "cuts": [], "starts": [0]}
    save_weights(path, {"0.boxes": torch.zeros(1, 4)}, "analysis", config)
    with pytest.raises(WeightsError, match="incomplete analysis"):
        load_analysis(path)


def test_other_weights_are_refused(tmp_path):
    save_weights(tmp_path / "net.safetensors", {"a": torch.zeros(1)}, "landmarks")
    with pytest.raises(WeightsError, match="expected 'analysis'"):
        load_analysis(tmp_path / "net.safetensors")
