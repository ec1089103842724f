"""Training of the alignment network: the known shift undoes the bend, drawings are what they say, a bend is learned."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.networks.alignment_net import SIDE, AlignmentNet, AlignmentNetConfig
from fsgan_core.networks.flow_net import WINDOW
from fsgan_core.stages.open_landmarks import load_open_landmarker
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.training.alignment import (
    SURENESS,
    AlignmentTask,
    Samples,
    bent,
    composed,
    looked_up,
    moved,
    posed,
    unlikeness,
    way_back,
)
from fsgan_core.training.drawings import KINDS, Drawing, drawing
from fsgan_core.training.labelled import Face
from fsgan_core.training.reenactment_pairs import subject

_FACES = run_path(str(Path(__file__).parents[1] / "stages" / "test_reenactment.py"))
MODEL = load_face_model()


def portrait(**expressions):
    return Face("a", _FACES["picture"](256), _FACES["face"](size=256, **expressions).numpy())


def textured(seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (24, 24)).astype(np.float32)
    y, x = np.indices((WINDOW, WINDOW), dtype=np.float32) * (23 / (WINDOW - 1))
    return looked_up(coarse, np.stack((x, y), -1)).astype(np.uint8)


def onto_itself(kind="exact", seed=0):
    whole = np.full((WINDOW // 2, WINDOW // 2), 255, np.uint8)
    return Drawing(kind, textured(seed), textured(seed), whole, whole)


def test_the_shift_of_a_sample_undoes_its_bend():
    rng = np.random.default_rng(4)
    place, bend = posed(rng), bent(rng)
    straight, crooked = looked_up(textured(), place), looked_up(textured(), composed(place, bend))
    as_tensor = [torch.from_numpy(picture / 255)[None, None].float() for picture in (straight, crooked)]
    back = moved(as_tensor[1], torch.from_numpy(way_back(bend))[None])
    inner = slice(24, -24)
    before, after = ((p - as_tensor[0])[..., inner, inner].abs().mean() for p in (as_tensor[1], back))
    assert np.abs(bend).max() > 1 and after < 0.2 * before


@pytest.mark.parametrize(("kind", "least", "most"), [("exact", 0, 4), ("measured", 0, 10), ("other", 20, 255)])
def test_drawings_show_the_photo_and_a_face_on_it(kind, least, most):
    """Drawn by the landmarks it was moved with, a face lies on its photo; another's does not look like it."""
    who, landmarker = portrait(jawOpen=0.1), load_open_landmarker()
    other = replace(who, image=255 - who.image)
    tools = FlowReenactor(MODEL, FlowOptions(refine=False)), landmarker
    one = drawing(kind, subject(who, MODEL, landmarker), [other], tools, np.random.default_rng(1))
    assert one.kind == kind and one.target.shape == one.drawn.shape == (WINDOW, WINDOW)
    assert one.cover.shape == one.trust.shape == (WINDOW // 2, WINDOW // 2)
    face = cv2.resize(one.cover, (WINDOW, WINDOW)) == 255
    assert 0.15 < face.mean() < 0.6
    assert least <= np.abs(one.target.astype(float) - one.drawn)[face].mean() < most


def test_samples_depend_on_their_number_alone():
    samples = Samples([onto_itself(kind) for kind in KINDS], 3)
    first, again, other = samples[7], samples[7], samples[8]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["drawn"], other["drawn"])
    assert first["drawn"].shape == (1, SIDE, SIDE) and first["shift"].shape == (2, SIDE // 2, SIDE // 2)


def test_only_sure_shifts_are_learned():
    sure = {kind: {round(float(Samples([onto_itself(kind)], 0)[n]["sure"]), 3) for n in range(30)} for kind in KINDS}
    assert sure == {kind: {SURENESS["own"], SURENESS[kind]} for kind in KINDS}


def test_the_same_picture_in_another_light_is_not_unlike():
    one, other = (torch.from_numpy(textured(seed) / 255)[None, None].float() for seed in (0, 1))
    assert unlikeness(one, 0.5 * one + 0.2).mean() < 0.1 < 0.7 < unlikeness(one, other).mean()


def test_a_bend_is_learned():
    samples = Samples([onto_itself(seed=seed) for seed in range(3)], 0)
    torch.manual_seed(0)
    task = AlignmentTask(AlignmentNet(AlignmentNetConfig(widths=(24, 32), blocks=1)), samples, samples, 4, 0, 16)
    before = task.evaluate(task.model)
    optimiser = torch.optim.Adam(task.model.parameters(), 3e-3)
    batches = task.batches(0)
    for _ in range(45):
        optimiser.zero_grad()
        sum(task.losses(task.model, next(batches)).values()).backward()
        optimiser.step()
    after = task.evaluate(task.model)
    assert before["error"] == before["start"] and after["error"] < 0.9 * before["error"]
    assert task.sheet(task.model).shape[2] == 3
