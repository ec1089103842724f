"""Boxes, crops, rolls, flips and v1's landmark steps."""

import numpy as np

from fsgan_core.ops.official_geometry import crop, flip_landmarks, main_box, paste, rotate, scale_box
from fsgan_core.ops.official_tracking import overlap
from fsgan_core.ops.official_views import euler_angles, rigid_fit, step_landmarks


def test_boxes(parity):
    case = parity("bbox_crop_paste")
    frame, corners = case.array("input/img"), case.array("input/dets_ltrb")
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
    for i, box in enumerate(boxes):
        for name in case.names(f"output/scaled_{i}_"):
            case.check(scale_box(box, float(name)), f"output/scaled_{i}_{name}")
        case.check(scale_box(box, square=False), f"output/nonsquare_{i}")
    case.check(main_box(boxes, *frame.shape[:2]), "output/main_bbox_ltwh")
    case.check(overlap(corners[0], corners), "output/iou_0_vs_all")


def test_crop_and_paste(parity):
    import cv2

    case = parity("bbox_crop_paste")
    frame, corners = case.array("input/img"), case.array("input/dets_ltrb")
    for i, (left, top, right, bottom) in enumerate(corners):
        box = scale_box(np.array([left, top, right - left, bottom - top]))
        cut = crop(frame, box)
        case.check(cut, f"output/crop_{i}")
        for name in case.names("output/crop256to"):
            side, number = name.split("_cubic_")
            if int(number) == i:
                resized = cv2.resize(cut, (int(side), int(side)), interpolation=cv2.INTER_CUBIC)
                case.check(resized, f"output/crop256to{name}")
        case.check(paste(frame, case.array("input/crop"), box), f"output/paste_{i}")


def test_roll(parity):
    case = parity("roll_rotation")
    angles = case.names("output/img_")
    assert angles
    for angle in angles:
        picture, landmarks = rotate(case.array("input/img"), case.array("input/landmarks"), float(angle))
        case.check(picture, f"output/img_{angle}")
        case.check(landmarks, f"output/lms_{angle}")


def test_flips(parity):
    case = parity("landmark_flips")
    case.check(flip_landmarks(case.array("input/l98")), "output/l98_flipped")
    for width in case.names("output/l68_flipped_w"):
        found = flip_landmarks(case.array("input/l68_px"), float(width))
        expected = case.array(f"output/l68_flipped_w{width}")
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_landmark_steps(parity):
    case = parity("landmark_interpolation_v1")
    source = case.array("input/a")
    for i in case.names("input/b_"):
        target = case.array(f"input/b_{i}")
        rotation, translation = rigid_fit(source, target)
        case.check(rotation, f"output/R_{i}")
        case.check(translation, f"output/t_{i}")
        case.check(euler_angles(rotation), f"output/euler_{i}")
        for part in case.names(f"output/interp_{i}_"):
            case.check(step_landmarks(source, target, float(part)), f"output/interp_{i}_{part}")
