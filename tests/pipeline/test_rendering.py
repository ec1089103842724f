"""Frames drawn at the same time: the same pixels, and what becomes of failures, settings and threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from fsgan_core import (
    Controls,
    Frames,
    Models,
    Still,
    analyze,
    build_appearance_map,
    edit,
    reenact,
    reenact_crops,
    swap,
)
from fsgan_core.faces import FaceSequence, Track
from fsgan_core.networks.ms_res_unet import MultiScaleResUNet, MultiScaleResUNetConfig
from fsgan_core.pipeline import ReenactOptions
from fsgan_core.rendering import at_once, largest, one_thread, rendered, span
from fsgan_core.stages.official import LearnedCompleter


@pytest.fixture(autouse=True)
def two_threads():
    """Two intra-op threads, whatever the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def models():
    return Models.load()


@pytest.fixture(scope="module")
def frames(face):
    """A woman who moves down by five pixels a frame."""
    return [np.ascontiguousarray(np.roll(face, 5 * step, 0)) for step in range(4)]


@pytest.fixture(scope="module")
def person(face, models):
    """She is in all frames; and once more from the third on, as a track that begins later."""
    (found,) = analyze(Still(face), models).faces
    moved = np.stack([found.landmarks[0] + np.float32((0, 5 * step, 0)) for step in range(4)])
    return [track(moved, found, 0), track(moved[2:], found, 2)]


def track(landmarks, like, start):
    count = len(landmarks)
    boxes, poses, scores = (np.repeat(values, count, 0) for values in (like.track.boxes, like.poses, like.scores))
    return FaceSequence(Track(start, boxes), landmarks, poses, scores)


@pytest.fixture(scope="module")
def source(face, models):
    return build_appearance_map([(Still(face), analyze(Still(face), models).faces[0])])


def threads_of(models, stage):
    """The stages, and the threads that one of them is called by."""
    idents = set()

    def noting(*given, **named):
        idents.add(threading.get_ident())
        return getattr(models, stage)(*given, **named)

    return replace(models, **{stage: noting}), idents


def runs(face, frames, person, source):
    clip = Frames(frames, Fraction(25))
    return {
        "swap": lambda models: swap(clip, person, [source], models),
        "edit": lambda models: edit(clip, person[:1], Controls(smile=0.5), models),
        "reenact": lambda models: reenact(face, person[0].landmarks[0], person[0], models),
        "crops": lambda models: reenact_crops(source, person[0], models, ReenactOptions(size=128)),
    }


@pytest.mark.parametrize("name", ["swap", "edit", "reenact", "crops"])
def test_two_threads_draw_the_pixels_that_one_draws(name, models, face, frames, person, source):
    run, told = runs(face, frames, person, source)[name], []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        watched, idents = threads_of(models, "reenactment")
        told.append([(result.frame.tobytes(), result.records) for result in run(watched)])
        assert (idents == {threading.get_ident()}) == (threads == 1)
        assert torch.get_num_threads() == threads
    assert len(told[0]) == 4
    assert told[0] == told[1]


def test_two_threads_align_crops_with_the_frames_as_one_does(models, frames, person, source):
    told = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results = reenact_crops(source, person[0], models, ReenactOptions(size=128), frames)
        told.append([result.frame.tobytes() for result in results])
    assert len(told[0]) == 4
    assert told[0] == told[1]


def test_threads_draw_in_inference_mode_with_one_intra_op_thread_each():
    def state(item):
        return torch.is_inference_mode_enabled(), torch.get_num_threads(), threading.get_ident()

    found = list(rendered(state, range(8), 2))
    assert {pair[:2] for pair in found} == {(True, 1)}
    assert threading.get_ident() not in {pair[2] for pair in found}
    assert torch.get_num_threads() == 2
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 2


def test_a_clip_that_is_left_early_leaves_no_thread(models, frames, person, source):
    before = threading.active_count()
    results = swap(Frames(frames, Fraction(25)), person, [source], models)
    next(results)
    assert threading.active_count() > before
    results.close()
    assert threading.active_count() == before
    assert torch.get_num_threads() == 2


def test_a_stage_that_fails_is_heard_of_and_nothing_hangs(models, frames, person, source):
    def failing(*given, **named):
        raise MemoryError("no room for the face")

    before = threading.active_count()
    with pytest.raises(MemoryError, match="no room"):
        list(swap(Frames(frames, Fraction(25)), person, [source], replace(models, blending=failing)))
    assert threading.active_count() == before


def test_how_many_are_drawn_at_the_same_time(models):
    assert at_once(models, 100, 400.0) == 2
    assert at_once(models, 1, 400.0) == 1 == at_once(models, 0, 0.0)
    torch.set_num_threads(16)
    assert at_once(models, 100, 400.0) == 4
    assert at_once(models, 3, 400.0) == 3
    # A large face fills the memory of several.
    assert at_once(models, 100, 1100.0) == 2 and at_once(models, 100, 4000.0) == 1


def test_faces_are_known_by_their_frames_and_their_largest_side(person):
    first, second = person
    assert span(person) == 4 and span([second]) == 2 and span([]) == 0
    side = float(np.ptp(first.landmarks[0, :, :2], axis=0).max())
    assert largest([second, replace(first, landmarks=first.landmarks * 2)]) == pytest.approx(2 * side)
    assert largest([]) == 0


def test_a_consumer_may_work_with_one_intra_op_thread_meanwhile():
    with pytest.raises(MemoryError), one_thread():
        assert torch.get_num_threads() == 1
        raise MemoryError
    assert torch.get_num_threads() == 2


def test_official_networks_and_other_devices_take_one_frame_at_a_time(models):
    network = MultiScaleResUNet(MultiScaleResUNetConfig(in_channels=4, flat_layers=(1, 1, 1, 1), width=4))
    assert at_once(replace(models, completion=LearnedCompleter(network)), 100, 400.0) == 1
    assert at_once(replace(models, device=torch.device("cuda")), 100, 400.0) == 1
