"""What of a source hurts a swap is told before it; a plain portrait is left in peace."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fsgan_core.cli import main
from fsgan_core.demo import HOPPER
from fsgan_core.evaluation.reference import single_view
from fsgan_core.evaluation.source_faults import told_source, told_swap, told_turn
from fsgan_core.media import Image, write_image
from fsgan_core.models import Backends, Models
from fsgan_core.ops.controls import Controls
from fsgan_core.pipeline import analyze
from fsgan_core.stages.appearance_map import AppearanceMap
from fsgan_core.streams import Still

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def bare(face: Picture, models: Models) -> AppearanceMap:
    """Nobody has anything to say of her picture."""
    return single_view(face, analyze(Still(face), models).faces[0].landmarks[0], models)


def with_picture(source: AppearanceMap, picture: Picture) -> AppearanceMap:
    return replace(source, views=(picture,))


def wearing(source: AppearanceMap, first: int, last: int) -> AppearanceMap:
    """With a cloth in front of the face, from the height of a landmark to that of another."""
    picture, y = source.views[0].copy(), source.landmarks[0, :, 1].astype(int)
    picture[y[first] : y[last]] = (25, 60, 150)
    return with_picture(source, picture)


def lit_from_a_side(source: AppearanceMap) -> AppearanceMap:
    dark = source.views[0].copy()
    dark[:, : int(source.landmarks[0, 4, 0])] //= 3
    return with_picture(source, dark)


def lit_by_two_lamps(source: AppearanceMap) -> AppearanceMap:
    """The upper half of the face in blue light, the lower in orange."""
    nose = int(source.landmarks[0, 4, 1])
    lamps = np.where(np.arange(len(source.views[0]))[:, None] < nose, (0.55, 0.8, 1.0), (1.0, 0.75, 0.4))
    return with_picture(source, (source.views[0] * lamps[:, None]).astype(np.uint8))


def blurred(source: AppearanceMap) -> AppearanceMap:
    return with_picture(source, cv2.GaussianBlur(source.views[0], (0, 0), 3).astype(np.uint8))


def smaller(source: AppearanceMap) -> AppearanceMap:
    view = cv2.resize(source.views[0], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return replace(with_picture(source, view), landmarks=source.landmarks / 2)


def turned(source: AppearanceMap, yaw: float, pitch: float) -> AppearanceMap:
    return replace(source, poses=np.array([[yaw, pitch, 0]], np.float32))


def test_of_a_plain_portrait_nothing_is_told(bare: AppearanceMap, models: Models) -> None:
    assert told_source(bare, models) == []
    assert told_source(turned(bare, 30, -20), models) == []


def test_glasses_are_told(source: AppearanceMap, models: Models) -> None:
    outcome = "fine wires are taken off, other frames go along"
    assert told_source(source, models) == [f"the source wears glasses: {outcome}; choose a picture without glasses"]


def test_beyond_the_border_nothing_is_worn(source: AppearanceMap, models: Models) -> None:
    nose = int(source.landmarks[0, 4, 0])
    half = replace(source, views=(source.views[0][:, nose:],), landmarks=source.landmarks - np.float32([nose, 0, 0]))
    cut, glasses = told_source(half, models)
    assert "is cut off by the picture's border" in cut and "the source wears glasses: " in glasses


def test_each_fault_is_told_and_no_other(bare: AppearanceMap, models: Models) -> None:
    cases = {
        "in front of the face": wearing(bare, 2, 152),
        "over the brow": wearing(bare, 10, 105),
        "hard light": lit_from_a_side(bare),
        "light of several colours": lit_by_two_lamps(bare),
        "is blurred": blurred(bare),
        "less than 80 px": smaller(bare),
        "far aside": turned(bare, -45, 0),
        "far up or down": turned(bare, 0, 35),
    }
    for words, source in cases.items():
        (told,) = told_source(source, models)
        assert words in told and "; choose a picture " in told


def test_of_a_source_that_looks_up_one_note_names_it(face: Picture, bare: AppearanceMap, models: Models) -> None:
    faces = analyze(Still(face), models).faces
    (told,) = told_swap(turned(bare, 0, 42), faces, models)
    assert told.startswith("the source is turned 42 degrees away from the camera, the target only ")
    (tilted,) = told_swap(turned(bare, 0, 31), faces, models)
    assert "far up or down" in tilted and told_swap(bare, faces, models) == []


def test_a_small_face_is_told_once(bare: AppearanceMap, face: Picture, models: Models) -> None:
    large = analyze(Still(face), models).faces
    (told,) = told_swap(smaller(bare), large, models)
    assert "px long: soft" in told


def test_a_picture_without_the_fault_is_enough(bare: AppearanceMap, models: Models) -> None:
    def both(one: AppearanceMap, other: AppearanceMap) -> AppearanceMap:
        parts = ((getattr(one, name), getattr(other, name)) for name in ("poses", "landmarks", "boxes"))
        return AppearanceMap((*one.views, *other.views), *(np.concatenate(pair) for pair in parts))

    dark, aside = lit_from_a_side(bare), turned(lit_from_a_side(bare), 50, 0)
    assert told_source(both(dark, bare), models) == []
    (told,) = told_source(both(dark, aside), models)
    assert told.startswith("the source is in hard light from one side in all 2 views: ")
    assert "; add a picture in even light" in told


def test_a_turn_speaks_of_glasses_where_they_are_worn(face: Picture, models: Models) -> None:
    controls = Controls(yaw=25)
    for frame, worn in ((face, False), (HOPPER.read().frame, True)):
        faces = analyze(Still(frame), models).faces
        assert ("glasses lack an arm" in told_turn(controls, Still(frame), faces, models)) == worn
        assert told_turn(Controls(smile=1), Still(frame), faces, models) == ""


def test_without_our_segmentation_nothing_is_said_of_what_it_finds(source: AppearanceMap) -> None:
    assert told_source(source, Models.load(Backends(segmentation="mesh"))) == []


def test_the_command_tells_it_and_keeps_it_in_the_report(
    portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_image(tmp_path / "hopper.png", Image(HOPPER.read().frame), marking=None)
    words = ["swap", "-s", str(tmp_path / "hopper.png"), "-t", str(portrait), "-o", str(tmp_path / "out.png")]
    assert main([*words, "--report", str(tmp_path / "r.json"), "--no-measure"]) == 0
    assert "note: the source wears glasses: " in capsys.readouterr().out
    (note,) = json.loads((tmp_path / "r.json").read_text())["summary"]["notes"]
    assert note.startswith("the source wears glasses: ")
