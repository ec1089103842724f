"""Training of the landmark network: labels follow the pixels, samples repeat, two faces are learnt in seconds."""

import cv2
import numpy as np
import pytest
import torch

from fsgan_core.networks.landmark_net import LandmarkNet, LandmarkNetConfig
from fsgan_core.stages.open_landmarks import load_open_landmarker
from fsgan_core.stages.pose import load_face_model
from fsgan_core.training.labelled import Face, read_backgrounds, read_faces, read_masks
from fsgan_core.training.landmark_samples import SampleOptions, Samples, Scenes, overlap, presence_of
from fsgan_core.training.landmarks import LandmarkTask, balanced, error, point_weights, shape_modes, task
from fsgan_core.training.loop import TrainOptions, train

MODEL = load_face_model()
MEAN = MODEL.mean.numpy()
SMALL = LandmarkNetConfig(size=32, stem=4, channels=(8, 16), blocks=(1, 1), reduced=4, rank=8)
BARE = SampleOptions(size=96, absent=0, covered=0, plain=1, turned=0, cut_off=0)


def spotted(rng, scale=60.0, side=300):
    """A face of three soft spots: red and green in the eyes, blue on the chin."""
    points = ((MEAN - MEAN.mean(0)) * scale + (side / 2, side / 2, 0) + rng.normal(0, 4, 3)).astype(np.float32)
    rows, columns = np.indices((side, side)) + 0.5
    image = np.zeros((side, side, 3))
    for channel, place in enumerate(spots(points)):
        image[..., channel] = 255 * np.exp(-((columns - place[0]) ** 2 + (rows - place[1]) ** 2) / (2 * 5**2))
    return Face(f"spots {scale}", image.astype(np.uint8), points)


def spots(points):
    return np.stack([points[[33, 133], :2].mean(0), points[[362, 263], :2].mean(0), points[152, :2]])


def samples(options, count=2):
    rng = np.random.default_rng(0)
    faces = [spotted(rng, 50 + 8 * i) for i in range(count)]
    backgrounds = [rng.integers(0, 255, (120, 160, 3), np.uint8)]
    mask = np.full((20, 30, 4), 255, np.uint8)
    return Samples(faces, [], Scenes(backgrounds, [mask]), MODEL.mirror.numpy(), options)


def test_labels_follow_the_pixels_also_in_the_mirror():
    source, mirrored = samples(BARE), 0
    for index in range(24):
        item = source[index]
        image, points = item["image"].numpy().astype(float), item["points"].numpy() * 96
        expected = spots(points)
        red_left = centre(image[..., 0])[0] < centre(image[..., 1])[0]
        mirrored += not red_left
        # In the mirror the subject's right eye is drawn where the left one was.
        order = (0, 1, 2) if red_left else (1, 0, 2)
        for channel, which in enumerate(order):
            if (expected[which] > 12).all() and (expected[which] < 84).all():
                np.testing.assert_allclose(centre(image[..., channel]), expected[which], atol=0.7)
        assert points[33, 0] < points[263, 0] or abs(points[33, 1] - points[263, 1]) > 5
    assert 4 < mirrored < 18


def centre(weight):
    rows, columns = np.indices(weight.shape) + 0.5
    peak = np.where(weight > 0.3 * weight.max(), weight, 0)
    return np.array([(columns * peak).sum(), (rows * peak).sum()]) / peak.sum()


def test_a_sample_depends_on_its_number_alone():
    one, other = samples(SampleOptions(size=48)), samples(SampleOptions(size=48))
    for index in (7, 3, 7, 11):
        for name, value in one[index].items():
            assert torch.equal(value, other[index][name]), name
    assert not torch.equal(one[1]["image"], one[2]["image"])


def test_every_kind_of_sample_is_well_formed():
    source = samples(SampleOptions(size=48, absent=0.4, covered=0.9))
    seen = [source[index] for index in range(120)]
    assert {float(item["presence"]) for item in seen} == {-1.0, 0.0, 1.0}
    for item in seen:
        assert item["image"].shape == (48, 48, 3) and item["image"].dtype == torch.uint8
        assert torch.isfinite(item["points"]).all()
        assert not item["labelled"] or item["points"].abs().max() < 5


def test_batches_of_a_resumed_run_continue_the_first():
    model = LandmarkNet(SMALL)
    whole = LandmarkTask(model, samples(SampleOptions(size=32)), [], batch=2, workers=0).batches(5)
    next(whole)
    again = LandmarkTask(model, samples(SampleOptions(size=32)), [], batch=2, workers=0).batches(6)
    for _ in range(3):
        one, other = next(whole), next(again)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_presence_labels():
    assert [presence_of(seen) for seen in (1.0, 0.6, 0.45, 0.2)] == [1.0, 1.0, -1.0, 0.0]
    face = np.array([[0.12, 0.12], [0.88, 0.88]]) * 100
    assert overlap(face, 100) == pytest.approx(1)
    assert overlap(face + 76, 100) == 0


def test_error_is_relative_to_the_eyes():
    face = MEAN * 100
    gap = np.linalg.norm(face[33, :2] - face[263, :2])
    assert error(face + (0.03 * gap, 0, 5), face) == pytest.approx(3, rel=1e-5)


def test_weights_of_the_points_have_mean_one_and_favour_the_eyes():
    weights = point_weights()
    assert weights.mean() == pytest.approx(1) and weights[159] > weights[50] * 2


def test_shape_modes_span_the_shapes():
    rng = np.random.default_rng(1)
    coefficients = torch.from_numpy(rng.normal(0, 1, (40, 3))).float()
    shapes = MODEL.mean + 0.5 * torch.einsum("nk,kpd->npd", coefficients, MODEL.identity[:3])
    mean, modes = shape_modes([shape.numpy() for shape in shapes], SMALL)
    assert mean.shape == (478, 3) and modes.shape == (4, 478, 3)
    energy = modes.flatten(1).norm(dim=1)
    assert energy[0] > 0 and energy[3] < 0.05 * energy[0], "three directions and what aligning bends"


def test_two_faces_are_learnt(tmp_path):
    source = samples(SampleOptions(size=32, absent=0, covered=0, plain=1, turned=0, tight=1.0))
    torch.manual_seed(0)
    network = LandmarkNet(SMALL)
    network.start_from(*shape_modes([face.landmarks for face in source.faces], SMALL))
    learning = LandmarkTask(network.to(memory_format=torch.channels_last), source, source.faces, batch=12, workers=0)
    before = learning.evaluate(network.eval())["mean"]
    network.train()
    figures = train(learning, TrainOptions(steps=150, every=150, warmup=10, lr=5e-3, ema=0.9), tmp_path)
    assert figures["mean"] < 0.7 * before
    landmarker = load_open_landmarker("cpu", tmp_path / "model.safetensors", None)
    face = source.faces[0]
    (found,) = landmarker([face.image], [np.zeros((1, 4), np.float32)], [face.landmarks[None]])
    assert error(found.points[0], face.landmarks) < 0.7 * before


class Answer(torch.nn.Module):
    """Answers the same landmarks whatever it sees."""

    def __init__(self, points):
        super().__init__()
        self.points = points

    def forward(self, image):
        return self.points, torch.zeros(len(image))


def test_losses_of_known_answers():
    learning = LandmarkTask(LandmarkNet(SMALL), samples(SampleOptions(size=32)), [])
    truth = torch.from_numpy(MEAN * 0.4 + 0.5).float()[None]
    eyes = float((truth[0, 33] - truth[0, 263]).norm())
    batch = {
        "image": torch.zeros(1, 32, 32, 3, dtype=torch.uint8),
        "points": truth,
        "presence": torch.ones(1),
        "labelled": torch.ones(1, dtype=torch.bool),
    }
    right = learning.losses(Answer(truth), batch)
    assert right["points"] == right["openings"] == 0
    assert right["presence"] == pytest.approx(0.3 * np.log(2), rel=1e-5)
    aside = learning.losses(Answer(truth + torch.tensor([0.1 * eyes, 0, 0])), batch)
    assert aside["points"] == pytest.approx(10 * 0.1, rel=1e-4)
    assert aside["openings"] == pytest.approx(0, abs=1e-5), "nothing opens where all points move alike"
    opened = truth.clone()
    opened[:, 14, 1] += 0.09 * eyes
    assert learning.losses(Answer(opened), batch)["openings"] == pytest.approx(4 * 0.09 / 9, rel=1e-3)
    absent = batch | {"labelled": torch.zeros(1, dtype=torch.bool), "presence": -torch.ones(1)}
    assert all(value == 0 for value in learning.losses(Answer(opened), absent).values())


def test_open_mouths_are_counted_more_often():
    closed, opened = (spotted(np.random.default_rng(0)) for _ in range(2))
    opened.landmarks[14, 1] += 0.2 * 60
    closed.landmarks[14] = closed.landmarks[13]
    assert [face is opened for face in balanced([closed, opened])] == [False, True, True, True, True]


@pytest.fixture
def material(tmp_path):
    """A tiny copy of the training material's layout."""
    rng = np.random.default_rng(2)
    folder = tmp_path / "faces_ai"
    folder.mkdir()
    faces = [spotted(rng, 55, 240) for _ in range(4)]
    for number, face in enumerate(faces):
        cv2.imwrite(str(folder / f"{number}.png"), face.image[..., ::-1])
    splits = ("train", "train", "val", "train")
    rows = "".join(f"{number}.png,{split}\n" for number, split in enumerate(splits))
    (folder / "index.csv").write_text(f"file,split\n{rows}")
    labels = np.stack([face.landmarks for face in faces])
    labels[3] = np.nan
    np.savez(folder / "mp478.npz", lmk=labels.astype(np.float16))
    for name, shape in (("backgrounds/field.png.jpg", (90, 1300, 3)), ("occluders/cloth.png", (30, 40, 4))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.full(shape, 180, np.uint8))
    cv2.imwrite(str(tmp_path / "occluders" / "cloth_left.png"), np.full((30, 40, 4), 180, np.uint8))
    return tmp_path, faces


def test_only_labelled_faces_of_the_split_are_read(material):
    folder, faces = material
    found = read_faces(folder, "train")
    assert [face.name for face in found] == ["faces_ai/0.png", "faces_ai/1.png"]
    np.testing.assert_array_equal(found[1].image, faces[1].image)
    np.testing.assert_allclose(found[1].landmarks, faces[1].landmarks, atol=0.13)
    with pytest.raises(ValueError, match="no labelled portrait of split 'test'"):
        read_faces(folder, "test")
    (background,) = read_backgrounds(folder)
    assert background.shape == (83, 1200, 3)
    assert [mask.shape for mask in read_masks(folder)] == [(30, 40, 4)]


def test_the_task_is_made_of_the_material(material):
    made = task(material[0], turns=1)
    assert len(made.samples.faces) == len(made.samples.turned) == 2 and len(made.validation) == 1
    losses = made.losses(made.model, {name: value[None] for name, value in made.samples[0].items()} | {})
    assert set(losses) == {"points", "openings", "presence"} and all(torch.isfinite(value) for value in losses.values())
