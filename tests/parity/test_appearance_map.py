"""The original's choice and weights of source views, and their roll alignment."""

import cv2
import numpy as np
import pytest

from fsgan_core.ops.official_geometry import rotate
from fsgan_core.ops.official_views import build_map

UNIT = 99.0
"""the recordings hold degrees divided by this"""


def by_view(vertices, weights, count):
    return {int(v): float(w) for v, w in zip(vertices, weights, strict=True) if v < count}


@pytest.fixture
def case(parity):
    return parity("appearance_map")


def radii(case):
    names = [name.split("/")[0] for name in case.names("output/r") if name.endswith("/kept_indices")]
    assert names
    return names


def test_thinning_and_triangulation(case):
    poses = case.array("input/src_poses") * UNIT
    for radius in radii(case):
        found = build_map(poses, float(radius))
        case.check(found.kept, f"output/r{radius}/kept_indices")
        case.check(found.points / UNIT, f"output/r{radius}/points")
        simplices = np.sort(found.triangulation.simplices, 1)
        expected = np.sort(case.array(f"output/r{radius}/simplices_sorted"), 1)
        assert {tuple(t) for t in simplices.tolist()} == {tuple(t) for t in expected.tolist()}


def test_weights(case):
    poses = case.array("input/src_poses") * UNIT
    targets = case.array("input/tgt_poses") * UNIT
    for radius in radii(case):
        views = build_map(poses, float(radius))
        count = len(views.kept)
        info = case.meta["info"][radius]
        unusable = {*info["nan_rows"], *info["outside_rows"]}
        for row, (yaw, pitch, _) in enumerate(targets):
            vertices, weights = views.query(yaw, pitch)
            assert (weights >= 0).all() and weights.sum() == pytest.approx(1, abs=1e-6)
            assert (weights[vertices == count] == 0).all()
            if row in unusable:
                continue
            recorded = [case.array(f"output/r{radius}/{name}")[row] for name in ("vertices", "weights")]
            found, expected = by_view(vertices, weights, count), by_view(*recorded, count)
            for view in found.keys() | expected.keys():
                assert found.get(view, 0) == pytest.approx(expected.get(view, 0), abs=1e-5)


def check_turned(found, expected):
    """Equal, but for a pixel that the last bit of an angle carries over the 1/32 px that OpenCV rounds places to."""
    off = np.abs(found - expected)
    assert (off > 1e-3).mean() < 0.005 and off.max() < 32, f"off by {off.max():g} in {(off > 1e-3).mean():.2%}"


def test_roll_aligned_views(case):
    poses = case.array("input/src_poses") * UNIT
    frames, landmarks = case.array("input/src_frames_bgr")[..., ::-1], case.array("input/src_landmarks")
    items = [name.split("/item") for name in case.names("output/r") if name.endswith("/src_level0")]
    assert items
    for radius, rest in items:
        number = int(rest.split("/")[0])
        prefix = f"output/r{radius}/item{number}"
        kept = build_map(poses, float(radius)).kept
        for slot, vertex in enumerate(case.array(f"output/r{radius}/vertices")[number]):
            if vertex == len(kept):
                continue
            view = kept[vertex]
            # The original keeps source poses in single precision, on which the rounding of a turned picture depends.
            source = float(case.array("input/src_poses")[view, 2].astype(np.float32))
            roll = (source - float(case.array("input/tgt_poses")[number, 2])) * UNIT
            picture, points = rotate(np.ascontiguousarray(frames[view]), landmarks[view], roll)
            for level, name in ((picture, "src_level0"), (cv2.pyrDown(picture), "src_level1")):
                expected = (case.array(f"{prefix}/{name}")[slot].transpose(1, 2, 0) + 1) * 127.5
                check_turned(level, expected)
            np.testing.assert_allclose(points, case.array(f"{prefix}/src_landmarks")[slot], atol=1e-5)
        frame = case.array("input/tgt_frames_bgr")[number][..., ::-1]
        expected = (case.array(f"{prefix}/tgt_frame").transpose(1, 2, 0) + 1) * 127.5
        np.testing.assert_allclose(frame, expected, atol=1e-3)
