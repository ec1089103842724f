"""Landmark maps and heatmap decoding of both versions; the names of the recordings say of what they are."""

import re

import torch

from fsgan_core.ops.heatmaps import (
    blurred_points,
    filter_heatmaps,
    gaussian_patches,
    landmark_discs,
    landmarks_from_heatmaps,
)


def recorded(case, pattern):
    """Rest of the name, and the numbers in it, of every output that has such a name; at least one has."""
    found = [(name, match.groupdict()) for name in case.names("output/") if (match := re.fullmatch(pattern, name))]
    assert found, pattern
    return [(name, {key: int(value) for key, value in numbers.items() if value}) for name, numbers in found]


def chosen(points, item=None, first=None):
    """The points ``(B, P, D)`` that were recorded."""
    return (points if item is None else points[item : item + 1])[:, :first]


def test_discs(parity):
    case = parity("landmark_heatmaps_v2")
    for name, numbers in recorded(case, r"decode_(?P<size>\d+)(_item(?P<item>\d+))?(_first(?P<first>\d+))?"):
        size = numbers.pop("size")
        case.check(landmark_discs(chosen(case["input/landmarks"], **numbers), size), f"output/{name}")


def test_decoding(parity):
    case = parity("landmark_heatmaps_v2")
    case.check(filter_heatmaps(case["input/raw_heatmaps"]), "output/filtered")
    case.check(landmarks_from_heatmaps(case["input/raw_heatmaps"]), "output/encoded")


def test_decoding_is_finite_where_the_original_is_not(parity):
    case = parity("landmark_heatmaps_v2")
    for name, numbers in recorded(case, r"encode_of_decode_(?P<size>\d+)"):
        found = landmarks_from_heatmaps(landmark_discs(case["input/landmarks"], numbers["size"]))
        case.check(found, f"output/{name}")


def test_gaussian_patches(parity):
    case = parity("landmark_heatmaps_v1")
    points = case["input/points"][:1]
    for name, numbers in recorded(case, r"draw_gaussian_(?P<size>\d+)_auto_sigma_first(?P<first>\d+)"):
        case.check(gaussian_patches(points[:, : numbers["first"]], numbers["size"])[0], f"output/{name}")
        skipped, side = numbers["first"], numbers["size"]
    # Recorded for the points after those of the first recording, scaled to the larger frame.
    for name, numbers in recorded(case, r"draw_gaussian_(?P<size>\d+)_first(?P<first>\d+)"):
        later = points[:, skipped : skipped + numbers["first"]] * (numbers["size"] / side)
        case.check(gaussian_patches(later, numbers["size"])[0], f"output/{name}")


def test_blurred_points(parity):
    case = parity("landmark_heatmaps_v1")
    pattern = r"conv_k(?P<kernel>\d+)_(?P<size>\d+)(_item(?P<item>\d+))?_first(?P<first>\d+)"
    for name, numbers in recorded(case, pattern):
        kernel, size = numbers.pop("kernel"), numbers.pop("size")
        case.check(blurred_points(chosen(case["input/points"], **numbers), size, kernel), f"output/{name}")
    for name, numbers in recorded(case, r"gaussian_kernel(?P<side>\d+)"):
        side = numbers["side"]
        kernel = blurred_points(torch.full((1, 1, 2), side // 2), side, side)[0, 0]
        case.check(kernel / kernel.sum(), f"output/{name}")
