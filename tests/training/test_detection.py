"""Assignment, losses and learning of the face detector."""

import numpy as np
import torch

from fsgan_core.networks.detector import Detector, DetectorConfig
from fsgan_core.ops.boxes import overlaps, suppress
from fsgan_core.training.composites import Material, Scene, mirrored, scene
from fsgan_core.training.detection import (
    FACE,
    UNSURE,
    DetectionTask,
    assigned,
    collated,
    detection_losses,
)
from fsgan_core.training.portraits import Portrait, halvings, inscribed

TINY = DetectorConfig(stem=(8, 8), widths=(12, 16, 16, 16), head=12)


def drawn_portrait(shade: int) -> Portrait:
    """A face of three discs on a plain ground."""
    y, x = np.mgrid[:120, :100]
    picture = np.full((120, 100, 3), 40, np.uint8)
    picture[((x - 50) / 26) ** 2 + ((y - 60) / 34) ** 2 < 1] = (shade, shade - 30, shade - 60)
    for eye in (40, 60):
        picture[(x - eye) ** 2 + (y - 52) ** 2 < 25] = 0
    return Portrait(halvings(picture), inscribed((24, 26, 76, 94)), 1.0)


def material() -> Material:
    rng = np.random.default_rng(0)
    portraits = [drawn_portrait(shade) for shade in (160, 240)]
    grounds = [np.asarray(rng.integers(0, 255, (90, 120, 3)), np.uint8)]
    mask = np.full((40, 60, 4), 200, np.uint8)
    return Material(portraits, np.array([0.5, 0.5]), grounds, [mask])


def tiny_task() -> DetectionTask:
    torch.manual_seed(0)
    return DetectionTask(Detector(TINY), material(), material())


def test_each_face_is_answered_by_a_level_of_its_size():
    task = tiny_task()
    cells = task.cells((512, 512))
    for side, stride in ((14.0, 8), (60.0, 16), (120.0, 32), (400.0, 64)):
        box = torch.tensor([[[256 - side / 2, 250 - side / 2, 256 + side / 2, 250 + side / 2]]])
        index, unsure = assigned(cells, box, torch.tensor([[FACE]]), 512)
        chosen = cells[index[0] == 0]
        assert set(chosen[:, 2].tolist()) == {float(stride)} and not unsure.any()
        assert ((chosen[:, :2] >= box[0, 0, :2]) & (chosen[:, :2] <= box[0, 0, 2:])).all()


def test_a_face_cut_by_the_border_is_answered_inside():
    task = tiny_task()
    index, _ = assigned(task.cells((256, 256)), torch.tensor([[[-70.0, 100, 30, 200]]]), torch.tensor([[FACE]]), 256)
    assert (index == 0).any()


def test_a_doubtful_face_is_left_out_and_an_overlapping_sure_one_is_not():
    task = tiny_task()
    cells = task.cells((128, 128))
    boxes = torch.tensor([[[20.0, 20, 100, 100], [50.0, 50, 70, 70]]])
    index, unsure = assigned(cells, boxes, torch.tensor([[UNSURE, FACE]]), 128)
    assert (index == 1).any() and unsure.any() and not ((index >= 0) & unsure).any()
    outside = (cells[:, :2] < 20).any(1)
    assert not unsure[0, outside].any()


def test_losses_vanish_for_the_right_answer():
    task = tiny_task()
    cells = task.cells((128, 128))
    boxes, kinds = torch.tensor([[[30.0, 30, 90, 100]]]), torch.tensor([[FACE]])
    index, _ = assigned(cells, boxes, kinds, 128)
    logits = torch.where(index >= 0, 20.0, -20.0)
    losses = detection_losses(logits, boxes.expand(1, len(cells), 4), cells, boxes, kinds)
    assert all(value.item() < 1e-4 for value in losses.values())
    wrong = detection_losses(-logits, boxes.expand(1, len(cells), 4) + 50, cells, boxes, kinds)
    assert all(value.item() > 0.5 for value in wrong.values())


def test_two_mirrors_are_none():
    found = scene(np.random.default_rng(1), material(), 96)
    again = mirrored(mirrored(found))
    np.testing.assert_array_equal(again.image, found.image)
    np.testing.assert_allclose(again.boxes, found.boxes, atol=1e-4)


def test_a_resumed_run_sees_the_batch_that_would_have_come():
    task = tiny_task()
    earlier = task.batches(2)
    next(earlier)
    one, other = next(earlier), next(task.batches(3))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert one["image"].dtype == torch.uint8 and one["boxes"].shape[:2] == one["kinds"].shape


def test_the_detector_learns_two_scenes():
    task = tiny_task()
    rng, scenes = np.random.default_rng(5), list[Scene]()
    while len(scenes) < 2:
        found = scene(rng, task.material, 128)
        if len(found.boxes) == 1 and found.sure[0] and found.boxes[0, 3] - found.boxes[0, 1] > 30:
            scenes.append(found)
    batch, model = collated(scenes), task.model
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    for _ in range(120):
        optimizer.zero_grad()
        torch.stack(list(task.losses(model, batch).values())).sum().backward()
        optimizer.step()
    with torch.no_grad():
        logits, boxes = model(batch["image"].float() / 255)
    for row in range(2):
        likely = logits[row] > 0
        kept = boxes[row][likely][suppress(boxes[row][likely], logits[row][likely])]
        assert len(kept) == 1
        assert overlaps(kept[0], batch["boxes"][row, 0]).item() > 0.75
