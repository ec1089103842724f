"""The sliders on a face, in pictures and in a video."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import av
import pytest
import torch

from fsgan_core import Controls
from fsgan_core.options import describe

Run = Callable[..., tuple[Any, ...]]


@pytest.mark.parametrize("name", ["FSGAN_FaceControls", "FSGAN_FaceControlsVideo"])
def test_sliders_are_the_core_s_controls(nodes: dict[str, Any], name: str) -> None:
    inputs = {one.id: one.values for one in nodes[name].define_schema().inputs}
    for option in describe(Controls):
        assert option.range is not None
        found = inputs[option.name]
        assert (found["default"], found["min"], found["max"]) == (0.0, option.range.low, option.range.high)
        assert found["display"] == "slider"
        assert found["tooltip"].lower().startswith(option.help.lower())
    assert {item.name for item in fields(Controls)} <= set(inputs)


def test_with_every_slider_at_0_the_picture_is_what_came_in(run: Run, picture: torch.Tensor) -> None:
    image, report = run("FSGAN_FaceControls", image=picture)
    assert image is picture
    assert report == "every control is at 0: nothing was changed"


def test_a_smile_changes_the_mouth_and_shows_it(nodes: dict[str, Any], run: Run, picture: torch.Tensor) -> None:
    before = picture.clone()
    image, report = run("FSGAN_FaceControls", image=picture, smile=-0.8)
    assert torch.equal(picture, before)
    assert image.shape == picture.shape
    assert report == "1 face edited, in 1 of 1 frame"
    changed = (image != picture).any(-1)[0]
    assert changed[130:180, 80:180].any(), "the mouth"
    assert not changed[:, :10].any()
    assert not changed[:30].any()
    given = {
        one.id: one.values["default"]
        for one in nodes["FSGAN_FaceControls"].define_schema().inputs
        if "default" in one.values
    }
    with torch.inference_mode():
        output = nodes["FSGAN_FaceControls"].execute(**given | {"image": picture, "smile": -0.8})
    assert torch.equal(output.ui.image, image), "the result is previewed on the node"


def test_a_batch_keeps_its_length_and_names_what_shows_no_face(
    run: Run, picture: torch.Tensor, plain: torch.Tensor
) -> None:
    both = torch.cat((plain, picture))
    faces, _, _ = run("FSGAN_AnalyzeImages", image=both, batch="pictures")
    for more in ({"batch": "pictures"}, {"faces": faces}):
        image, report = run("FSGAN_FaceControls", image=both, yaw=-12.0, **more)
        assert torch.equal(image[0], both[0])
        assert not torch.equal(image[1], both[1])
        assert report.splitlines() == ["1 face edited, in 1 of 2 frames", "no face, kept as it was: frame 0"]


def test_a_video_is_edited_in_every_frame_and_keeps_its_sound(run: Run, host: Any, film: Path) -> None:
    from host_stub import VideoFile

    video = VideoFile(str(film))
    same, report = run("FSGAN_FaceControlsVideo", video=video)
    assert same is video
    edited, report = run("FSGAN_FaceControlsVideo", video=video, jaw=0.6)
    assert report == "1 face edited, in 8 of 8 frames"
    with av.open(str(edited.file)) as result, av.open(str(film)) as source:
        assert len(result.streams.audio) == 1
        assert [picture.pts * picture.time_base for picture in result.decode(video=0)] == [
            picture.pts * picture.time_base for picture in source.decode(video=0)
        ]
