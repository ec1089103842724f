"""``fsgan reenact --crop``: the frames a face was measured in, and the pixels that Python gives."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from fsgan_core import Models, Still, analyze, build_appearance_map, reenact_crops
from fsgan_core.cli import main
from fsgan_core.cli.reenact import Motion
from fsgan_core.demo import HOPPER
from fsgan_core.faces import Analysis, FaceSequence, Track
from fsgan_core.media import EncodeOptions, Image, VideoWriter, read_image, write_image
from fsgan_core.pipeline import ReenactOptions


def test_a_face_s_own_frames_are_looked_at(tmp_path):
    path = tmp_path / "target.mp4"
    with VideoWriter(path, rate=Fraction(25), options=EncodeOptions(preset="ultrafast")) as writer:
        for index in range(8):
            writer.write(np.full((64, 64, 3), 30 * index, np.uint8))
    boxes, *values = (np.zeros((3, *more), np.float32) for more in ((4,), (478, 3), (3,), ()))
    face = FaceSequence(Track(2, boxes), *values)
    shown = [int(frame.mean()) for frame in Motion.of(path).frames(face)]
    assert shown == pytest.approx([60, 90, 120], abs=3)
    assert Motion(Analysis((64, 64), Fraction(25), 8, (), (face,))).frames(face) is None


def test_the_command_draws_the_pixels_that_python_draws(portrait, face, tmp_path):
    output, models = tmp_path / "out.png", Models.load()
    middle = (face.shape[1] / 2, face.shape[0] / 2)
    picture = cv2.warpAffine(face, cv2.getRotationMatrix2D(middle, 9, 0.9), face.shape[1::-1], borderValue=(90, 90, 90))
    write_image(tmp_path / "source.png", Image(picture), marking=None)
    words = (
        "reenact",
        "-s",
        tmp_path / "source.png",
        "-t",
        portrait,
        "-o",
        output,
        "--crop",
        "--size",
        "128",
        "--device",
        "cpu",
    )
    assert main([str(word) for word in words]) == 0
    (person,) = analyze(Still(face), models).faces
    source = build_appearance_map([(Still(picture), analyze(Still(picture), models).faces[0])])
    aligned, blind = (
        next(reenact_crops(source, person, models, ReenactOptions(size=128), frames)).frame for frames in ([face], None)
    )
    np.testing.assert_array_equal(read_image(output).frame, aligned)
    assert (aligned != blind).any()
    stranger = HOPPER.read().frame
    other = build_appearance_map([(Still(stranger), analyze(Still(stranger), models).faces[0])])
    options = ReenactOptions(size=128)
    shown, unseen = (next(reenact_crops(other, person, models, options, frames)).frame for frames in ([face], None))
    np.testing.assert_array_equal(shown, unseen)


def test_crops_take_no_part_of_the_motion(portrait, tmp_path, capsys):
    words = ("reenact", "-s", portrait, "-t", portrait, "-o", tmp_path / "out.png", "--crop", "--parts", "pose")
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert stop.value.code == 2
    assert "--parts pose: crops take the target's whole shape" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()
