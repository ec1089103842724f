"""Two people given as one source are told apart, one person's pictures are not."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsgan_core.cli import main
from fsgan_core.demo import HOPPER
from fsgan_core.evaluation.identity import Embedder, load_if_installed
from fsgan_core.evaluation.strangers import strangers, told_clips, told_views
from fsgan_core.media import Image, write_image
from fsgan_core.models import Models
from fsgan_core.pipeline import analyze, build_appearance_map
from fsgan_core.stages.candidates import Candidate, MapOptions
from fsgan_core.streams import Still

Picture = NDArray[np.uint8]


def candidate(picture: Picture, models: Models) -> Candidate:
    face = analyze(Still(picture), models).faces[0]
    return Candidate(picture, face.landmarks[0], face.poses[0])


def otherwise(picture: Picture) -> Picture:
    """Darker, redder, softer, from the other side."""
    changed = cv2.GaussianBlur(picture[:, ::-1], (0, 0), 1.5) * np.array((0.8, 0.7, 0.6))
    return np.ascontiguousarray(changed.astype(np.uint8))


def unlike(one: Candidate) -> Candidate:
    """Somebody whom even the bundled descriptor takes for another: of other colours and edges everywhere."""
    drawn = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    return replace(one, frame=cv2.resize(drawn, one.frame.shape[1::-1], interpolation=cv2.INTER_NEAREST))


def by_name(frames: Sequence[Picture], landmarks: Sequence[NDArray[np.float32]]) -> Tensor:
    """An embedder to whom all pictures are of different people."""
    return torch.eye(len(frames))


def test_dlibs_descriptor_finds_the_picture_of_somebody_else(face: Picture, models: Models) -> None:
    embedder = load_if_installed()
    if embedder is None:
        pytest.skip("dlib's descriptor is not installed: pip install .[eval]")
    hers, again, other = (candidate(one, models) for one in (face, otherwise(face), HOPPER.read().frame))
    assert strangers([hers, again], embedder) == []
    assert strangers([other, hers, again], embedder) == [0]
    assert strangers([hers, other], embedder) == [1], "of two the first counts"


def test_the_bundled_descriptor_speaks_of_plain_cases(face: Picture, models: Models) -> None:
    hers, again = (candidate(one, models) for one in (face, otherwise(face)))
    assert strangers([hers, again], None) == []
    assert strangers([unlike(hers), hers, again], None) == [0]


@pytest.mark.parametrize(("embedder", "gap"), [(None, 25), (by_name, 50)])
def test_pictures_of_poses_far_apart_are_not_compared(
    face: Picture, models: Models, embedder: Embedder | None, gap: float
) -> None:
    hers = candidate(face, models)
    other = unlike(hers)
    assert strangers([hers, other], embedder) == [1]
    turned = hers.pose + np.float32(gap)
    assert strangers([hers, replace(other, pose=turned)], embedder) == []
    assert strangers([replace(hers, pose=turned), hers, other], embedder) == [2], "a third vouches for nobody"


def test_it_is_said_in_words(face: Picture, models: Models) -> None:
    hers = analyze(Still(face), models).faces[0]
    clips = [(Still(one), hers) for one in (face, face, unlike(candidate(face, models)).frame)]
    words = told_clips(clips, ["a.jpg", "b.jpg", "c.jpg"], None)
    said = "c.jpg seems to show another person than a.jpg and the others: two faces would be mixed"
    assert words == f"{said}; give pictures of one person"
    assert told_clips(clips[2:], ["c.jpg"], None) == told_clips(clips[:2], ["a.jpg", "b.jpg"], None) == ""
    (clip, one), (other, _) = clips[1:]
    turned = replace(one, poses=one.poses + np.float32(9))
    mixed = build_appearance_map([(clip, one), (other, turned)], MapOptions(blur=0))
    assert told_views(mixed, None).startswith("view 1 seems to show another person than view 0: ")


def test_the_command_says_it_and_the_report_keeps_it(
    portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fsgan_core.cli.subjects.load_if_installed", lambda device: by_name)
    write_image(tmp_path / "hopper.png", Image(HOPPER.read().frame), marking=None)
    words = ["swap", "-s", str(portrait), str(tmp_path / "hopper.png"), "-t", str(portrait)]
    assert main([*words, "-o", str(tmp_path / "o.png"), "--report", str(tmp_path / "r.json"), "--no-measure"]) == 0
    said = f"hopper.png seems to show another person than {portrait.name}: "
    assert f"note: {said}" in capsys.readouterr().out
    assert any(said in one for one in json.loads((tmp_path / "r.json").read_text())["summary"]["notes"])
