"""Variants: read from words, drawn side by side."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from fsgan_core.errors import FSGANError
from fsgan_core.evaluation import variants
from fsgan_core.evaluation.classic import classic_swap
from fsgan_core.evaluation.crops import SIDE, cut
from fsgan_core.evaluation.material import Subject
from fsgan_core.evaluation.variants import ablation, variant
from fsgan_core.faces import FaceSequence, Track
from fsgan_core.models import Models
from fsgan_core.pipeline import Rendered
from fsgan_core.stages.appearance_map import AppearanceMap
from fsgan_core.stages.blending import FeatherBlender
from fsgan_core.streams import Frame, Frames


def test_words_set_options_of_every_kind() -> None:
    found = variant("soft:blending=feather,steps=4,closest=yes,feather=0.2,inside=target")
    assert found.name == "soft"
    assert isinstance(found.models.blending, FeatherBlender)
    assert found.models.blending.options.feather == 0.2
    assert found.options.closest
    assert found.options.inside == "target"
    assert not found.classic
    assert variant("classic").classic


def test_each_preset_lacks_one_part_more_than_the_one_before() -> None:
    parts = [
        (found.align, found.models.reenactment.options.refine, found.steady)
        for found in map(variant, ("default", "unaligned", "geometry", "single-frame"))
    ]
    assert parts == [(True, True, True), (False, True, True), (True, False, True), (True, False, False)]
    assert not any(found.classic for found in map(variant, ("default", "unaligned", "geometry", "single-frame")))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("best", "no variant 'best'"),
        ("x:colour=yes", "none of"),
        ("x:closest=maybe", "yes or no"),
        ("x:steps=many", "found .many. for steps"),
        ("x:steps", "option=value"),
        ("x:inside=both", "expected one of"),
        ("x:blending=glue", "no backend 'glue'"),
    ],
)
def test_wrong_words_are_refused(words: str, message: str) -> None:
    with pytest.raises((ValueError, FSGANError), match=message):
        variant(words)


def test_the_classic_swap_puts_the_other_face_in_and_leaves_the_rest(
    target: Subject, source: AppearanceMap, models: Models
) -> None:
    frame = next(iter(target.clip))
    result = classic_swap(frame, target.face.landmarks[0], source.views[0], source.landmarks[0], models)
    assert result.shape == frame.shape
    moved = (result.astype(int) - frame).any(-1)
    low, high = target.face.landmarks[0, :, :2].min(0), target.face.landmarks[0, :, :2].max(0)
    y, x = moved.nonzero()
    assert low[0] - 2 < x.min() < x.max() < high[0] + 2
    assert low[1] - 2 < y.min() < y.max() < high[1] + 2
    assert 0.4 < moved.sum() / float(np.prod(high - low)) < 0.9


def test_a_face_on_itself_is_itself_for_the_classic_swap(target: Subject, models: Models) -> None:
    frame, points = next(iter(target.clip)), target.face.landmarks[0]
    again = classic_swap(frame, points, frame, points, models)
    assert np.abs(again.astype(int) - frame).max() <= 6


@pytest.mark.parametrize("name", ["default", "unaligned", "classic"])
def test_reenacted_crops_lie_where_they_say(name: str, target: Subject) -> None:
    found, map_ = variant(name), target.source()
    frames = list(target.clip)
    results = list(found.reenacted(target.face, map_, target.clip))
    assert len(results) == len(frames)
    for frame, (result, box) in zip(frames, results, strict=True):
        assert result.frame.shape == (SIDE, SIDE, 3)
        inside = slice(SIDE // 3, 2 * SIDE // 3)
        error = np.abs(result.frame[inside, inside].astype(int) - cut(frame, box)[inside, inside]).mean()
        assert error < 6


def test_the_ablation_leaves_stages_out(models: Models, face: Frame) -> None:
    image, other = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :4] = 1
    variants = {one.name: one.models for one in ablation(models)}
    assert list(variants) == ["Gr", "Gr+Gc", "Gr+Gb", "Gr+Gc+Gb"]
    assert torch.equal(variants["Gr"].completion(image, mask, mask), image)
    assert torch.equal(variants["Gr"].blending(image, other, mask), torch.where(mask > 0, image, other))
    assert variants["Gr+Gc"].completion is models.completion is variants["Gr+Gc+Gb"].completion
    assert variants["Gr+Gb"].blending is models.blending is variants["Gr+Gc+Gb"].blending
    assert all(one.segmentation is models.segmentation for one in variants.values())


def test_each_seen_face_is_drawn_with_its_own_frame(
    target: Subject, source: AppearanceMap, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, handed = target.face, []

    def noting(*given: Any, whole: bool) -> Iterator[Rendered]:
        handed.extend(int(frame[0, 0, 0]) for frame in given[-1])
        assert whole and len(handed) == len(given[1]) == 3
        return iter(())

    monkeypatch.setattr(variants, "reenact_crops", noting)
    boxes, landmarks, poses = (np.repeat(values[:1], 5, 0) for values in (one.track.boxes, one.landmarks, one.poses))
    face = FaceSequence(Track(2, boxes), landmarks, poses, np.array((1, 0, 0, 1, 1), np.float32))
    clip = Frames([np.full((8, 8, 3), index, np.uint8) for index in range(9)], Fraction(25))
    assert not list(replace(variant("default"), models=models).reenacted(face, source, clip))
    assert handed == [2, 5, 6]
