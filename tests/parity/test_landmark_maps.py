"""Landmark maps and heatmap decoding of both versions."""

import torch

from fsgan_core.ops.heatmaps import (
    blurred_points,
    filter_heatmaps,
    gaussian_patches,
    landmark_discs,
    landmarks_from_heatmaps,
)


def test_discs(parity):
    case = parity("landmark_heatmaps_v2")
    landmarks = case["input/landmarks"]
    case.check(landmark_discs(landmarks, 32), "output/decode_32")
    case.check(landmark_discs(landmarks[:1, :24], 64), "output/decode_64_item0_first24")
    case.check(landmark_discs(landmarks[:1, :4], 256), "output/decode_256_item0_first4")


def test_decoding(parity):
    case = parity("landmark_heatmaps_v2")
    case.check(filter_heatmaps(case["input/raw_heatmaps"]), "output/filtered")
    case.check(landmarks_from_heatmaps(case["input/raw_heatmaps"]), "output/encoded")


def test_decoding_is_finite_where_the_original_is_not(parity):
    case = parity("landmark_heatmaps_v2")
    found = landmarks_from_heatmaps(landmark_discs(case["input/landmarks"], 64))
    expected = case["output/encode_of_decode_64"]
    assert found.isfinite().all()
    known = expected.isfinite()
    assert float((found - expected)[known].abs().max()) <= case.meta["atol"]


def test_gaussian_patches(parity):
    case = parity("landmark_heatmaps_v1")
    points = case["input/points"]
    case.check(gaussian_patches(points, 64)[0, :20], "output/draw_gaussian_64_auto_sigma_first20")
    # Recorded for the points after those of the first recording, scaled to the larger frame.
    case.check(gaussian_patches(points[:1, 20:22] * 4, 256)[0], "output/draw_gaussian_256_first2")


def test_blurred_points(parity):
    case = parity("landmark_heatmaps_v1")
    points = case["input/points"]
    case.check(blurred_points(points, 64, 7)[:, :24], "output/conv_k7_64_first24")
    case.check(blurred_points(points, 64, 13)[:1, :24], "output/conv_k13_64_item0_first24")
    kernel = blurred_points(torch.full((1, 1, 2), 6.0), 13, 13)[0, 0]
    case.check(kernel / kernel.sum(), "output/gaussian_kernel13")
