"""Training of the segmentation, completion and blending networks: samples, losses, learning."""

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from fsgan_core.networks.face_space import FaceSpace, FaceSpaceConfig
from fsgan_core.networks.membrane_net import MembraneConfig, MembraneNet
from fsgan_core.networks.unet import UNet, UNetConfig
from fsgan_core.ops.masks import erode
from fsgan_core.ops.poisson import harmonic_fill, poisson_blend
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training import blending, blending_samples, completion, features, labelled, landmarks, segmentation
from fsgan_core.training.crop_occluders import Props
from fsgan_core.training.face_labels import FACE, HAIR
from fsgan_core.training.segmentation_samples import (
    SIDE,
    SampleOptions,
    Samples,
    pack,
    placed,
    read_labelled,
    unpack,
)

MODEL = load_face_model()


@pytest.fixture(scope="module")
def faces(training_material):
    return read_labelled(training_material, "train", MODEL, 0)


def test_portraits_are_cut_out_with_their_labels_and_meshes(faces):
    assert len(faces) == 4
    for face in faces:
        assert face.image.shape == (SIDE, SIDE, 3)
        extent = face.points.max(0) - face.points.min(0)
        assert extent.max() == pytest.approx(SIDE / 2.4, rel=0.01)
        x, y = face.points[1].astype(int)
        assert face.labels[y, x] == FACE
        # The mesh's picture says where on the mean face a pixel lies.
        place = unpack(torch.from_numpy(face.prior)[None])[0, :, y, x].numpy()
        assert place[0] == pytest.approx(1, abs=0.02) and place[1:] == pytest.approx(
            MODEL.mean[1, :2].numpy(), abs=0.06
        )


@pytest.mark.parametrize(
    ("make", "small"),
    [
        (segmentation.task, {"trials": 1}),
        (blending.task, {"trials": 1, "count": 1}),
        (completion.task, {"trials": 1, "count": 1}),
        (features.task, {}),
        (landmarks.task, {}),
    ],
)
def test_only_so_many_portraits_are_read_as_asked(make, small, training_material, monkeypatch):
    opened = []
    read = labelled.read_picture
    monkeypatch.setattr(labelled, "read_picture", lambda path: opened.append(path) or read(path))
    make(training_material, portraits=1, turns=0, **small)
    assert len([path for path in opened if path.parent.name.startswith("faces")]) == 2, "one of train, one of val"


def test_the_mesh_survives_packing():
    values = np.random.default_rng(0).uniform(-1.3, 1.3, (3, 8, 8))
    assert np.abs(unpack(torch.from_numpy(pack(values))[None])[0].numpy() - values).max() < 0.006


def test_a_moved_face_keeps_label_and_landmarks_together(faces):
    rng, mirrored = np.random.default_rng(0), 0
    for _ in range(12):
        made = placed(faces[0], rng, 96)
        x, y = made.points[1].round().astype(int)
        assert made.labels[y, x] == FACE
        side = np.sign(made.points[454, 0] - made.points[234, 0])
        mirrored += side < 0
        # The mesh's own left and right follow the mirror.
        row = unpack(torch.from_numpy(made.prior)[None])[0, 1, y]
        inside = row[unpack(torch.from_numpy(made.prior)[None])[0, 0, y] > 0.5]
        assert inside[0] < 0 < inside[-1]
    assert 2 < mirrored < 10


def test_samples_depend_on_their_number_and_occluders_are_no_face(faces):
    options = SampleOptions(size=64, covered=1, plain=1)
    one, other = (Samples(faces, Props(), options) for _ in range(2))
    bare = Samples(faces, Props(), SampleOptions(size=64, covered=0, plain=1))
    lost = 0.0
    for index in range(6):
        assert all(torch.equal(one[index][name], other[index][name]) for name in one[index])
        assert (one[index]["face"] <= bare[index]["face"]).all()
        lost += float((bare[index]["face"].float() - one[index]["face"].float()).sum())
        assert set(bare[index]["face"].unique().tolist()) <= {0, 255}
    assert lost > 1000


def test_segmentation_learns_two_samples(faces):
    torch.manual_seed(0)
    samples = Samples(faces, Props(), SampleOptions(size=32))
    network = UNet(UNetConfig(size=32, channels=(16, 24, 32)))
    task = segmentation.SegmentationTask(network, samples, samples, 2, 2)
    before, after = learned(task, default_collate([samples[0], samples[1]]), 60)
    assert after < 0.35 * before
    network.eval()
    assert task.evaluate(network)["face_iou"] > 80


def test_completion_is_fitted_and_learns(faces):
    torch.manual_seed(0)
    samples = completion.Holes(faces, Props())
    for index in range(4):
        assert (samples[index]["hole"] <= samples[index]["mask"]).all() and samples[index]["hole"].sum() >= 20
    network = FaceSpace(FaceSpaceConfig(size=32, rank=6, noise=2.0))
    network.fit(completion.aligned(faces, 12, 32))
    task = completion.CompletionTask(network, samples, samples, 2, 2)
    before, after = learned(task, default_collate([samples[0], samples[1]]), 12)
    assert after < 0.9 * before


def test_the_poisson_loss_is_the_distance_to_the_exact_solution(faces):
    options = blending_samples.SampleOptions(size=96, covered=0, exact=1, holed=0, odd=0, matched=0)
    swaps = blending_samples.Swaps(faces, Props(), MODEL, options)
    face, target, mask = swaps.swap(np.random.default_rng((11, 3)))
    inner, item = erode(mask), swaps[3]
    assert torch.equal(inner[0].to(torch.uint8), item["mask"]) and inner.sum() > 200
    exact = (poisson_blend(face, target, inner) - face) * inner
    assert ((item["answer"].float() - exact[0]) * inner[0]).abs().max() < 0.002

    loss = blending.distance(Zero(), default_collate([item])).item()
    assert loss == pytest.approx(255 * exact.abs().sum().item() / (3 * inner.sum().item()), rel=1e-2)


class Zero(torch.nn.Module):
    """Continues by nothing."""

    def forward(self, values, unknown):
        return values * (1 - unknown)


def test_masks_of_swaps_have_holes_when_wanted(faces):
    whole, holed = (
        blending_samples.Swaps(
            faces, Props(), MODEL, blending_samples.SampleOptions(size=96, covered=0, exact=1, holed=share, odd=0)
        )
        for share in (0, 1)
    )
    lost = [
        one.swap(np.random.default_rng(k))[2].sum() - other.swap(np.random.default_rng(k))[2].sum()
        for k, (one, other) in enumerate([(whole, holed)] * 4)
    ]
    assert min(lost) >= 0 and max(lost) > 5


def test_masks_of_any_shape_reach_the_edge_of_the_picture(faces):
    swaps = blending_samples.Swaps(faces, Props(), MODEL, blending_samples.SampleOptions(size=64, holed=0, odd=1))
    masks = torch.stack([swaps[number]["mask"] for number in range(8)]).float()
    assert 0.1 < masks.mean() < 0.9 and (masks[..., 0, :].amax((1, 2)) > 0).sum() > 3


def test_blending_learns_two_swaps_which_may_be_turned_and_mixed(faces):
    torch.manual_seed(0)
    swaps = blending_samples.Swaps(faces, Props(), MODEL, blending_samples.SampleOptions(size=96))
    kept = [swaps[0], swaps[1]]
    network = MembraneNet(MembraneConfig(width=8))
    task = blending.BlendingTask(network, blending_samples.Rendered(swaps, 2), kept, 2)
    assert sorted(int(task.samples[index]["mask"].sum()) for index in (4, 5)) == sorted(
        int(one["mask"].sum()) for one in kept
    )
    batch, before = default_collate(kept), task.evaluate(network)["levels"]
    learned(task, batch, 30)
    assert task.evaluate(network)["levels"] < 0.6 * before
    # Other colours and turns of an exact solution are exact solutions.
    turned = blending.varied(batch)
    exact = harmonic_fill(turned["answer"], turned["mask"])
    assert (exact - turned["answer"]).abs().max() < 0.01
    assert not torch.equal(turned["answer"], batch["answer"].float())


def learned(task, batch, steps):
    """Loss before and after a short training on one batch."""
    optimizer = torch.optim.AdamW(task.model.parameters(), lr=5e-3)
    values = []
    for _ in range(steps):
        loss = sum(task.losses(task.model, batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(float(loss.detach()))
    return values[0], min(values[-5:])


def test_sheets_show_every_sample(faces):
    cv2.setNumThreads(1)
    samples = Samples(faces, Props(), SampleOptions(size=32))
    network = UNet(UNetConfig(size=32, channels=(8, 8, 8))).eval()
    sheet = segmentation.SegmentationTask(network, samples, samples, 4, 8).sheet(network)
    assert sheet.shape == (2 * 34, 12 * 34, 3) and sheet.dtype == np.uint8
    assert HAIR == segmentation.HAIR
