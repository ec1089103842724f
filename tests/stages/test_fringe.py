from dataclasses import replace

import numpy as np
import torch

from fsgan_core.models import Models
from fsgan_core.ops.face_model import FaceModel
from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.pipeline import analyze
from fsgan_core.stages.fringe import bare
from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.reenactment import FlowOptions, FlowReenactor
from fsgan_core.stages.shown import Shown
from fsgan_core.stages.views import View, prepare
from fsgan_core.streams import Still

SIZE = 128
MODEL: FaceModel = load_face_model()
NOSE, TOP, BROW = 4, 10, 105


def face(yaw: float = 0.0) -> torch.Tensor:
    turned = MODEL.mean @ rotation_matrix(torch.tensor([[yaw, 0.0, 0.0]]))[0].T
    return turned * (0.36 * SIZE) + torch.tensor([SIZE / 2, SIZE / 2, 0.0])


def view(share: float) -> View:
    plain = prepare(np.full((SIZE, SIZE, 3), 128, np.uint8), face(), MODEL)
    return replace(plain, shown=Shown(torch.full((1, 1, 32, 32), share), (0, 0, SIZE, SIZE)))


def at(values: torch.Tensor, landmarks: torch.Tensor, number: int, down: float = 0.0) -> float:
    x, y = landmarks[number, :2].tolist()
    return float(values[0, 0, int(y + down), int(x)])


def test_nothing_is_left_out_where_nobody_looked_or_all_is_face():
    for one in (replace(view(0.0), shown=None), view(1.0)):
        assert bare([one], [1.0], face(20)[None], SIZE, MODEL).min() > 1 - 1e-6


def test_a_covered_forehead_is_left_out_and_what_is_below_the_brows_stays():
    target = face(20)
    result = bare([view(0.0)], [1.0], target[None], SIZE, MODEL)
    assert at(result, target, TOP, down=4) == 0
    assert at(result, target, NOSE) == at(result, target, BROW, down=1) == 1


def test_views_count_by_their_weights():
    target = face()
    result = bare([view(0.0), view(1.0)], [0.25, 0.75], target[None], SIZE, MODEL)
    assert abs(at(result, target, TOP, down=4) - 0.75) < 1e-6


def test_a_share_is_looked_up_at_its_place():
    share = torch.zeros(1, 1, 4, 4)
    share[..., 0, 2] = 1.0
    places = torch.tensor([[[[35.0]], [[15.0]]]])
    assert Shown(share, (10, 10, 50, 50)).at(places) == 1.0


def test_a_fringe_is_not_drawn_on_another_face(face: np.ndarray):
    models = Models.load()
    landmarks = torch.from_numpy(analyze(Still(face), models).faces[0].landmarks[0])
    masks = []
    for segmentation in (None, models.segmentation):
        source = prepare(face, landmarks, MODEL, segmentation)
        masks.append(FlowReenactor(MODEL)([source], [1.0], landmarks[None], len(face)).mask)
    whole, kept = masks
    brow, top = landmarks[BROW, 1], landmarks[TOP, 1]
    rows = slice(int(top + 0.35 * (brow - top)), int(top + 0.65 * (brow - top)))
    assert (kept[..., rows, :] * whole[..., rows, :]).sum() < 0.3 * whole[..., rows, :].sum()
    below = slice(int(landmarks[NOSE, 1]), None)
    torch.testing.assert_close(kept.minimum(whole)[..., below, :], whole[..., below, :])


def test_face_just_beyond_the_mesh_is_drawn_where_the_source_shows_it():
    masks = []
    for share in (None, 0.0, 1.0):
        one = replace(view(0.0), shown=None) if share is None else view(share)
        masks.append(FlowReenactor(MODEL, FlowOptions(refine=False))([one], [1.0], face()[None], SIZE).mask)
    mesh, less, more = masks
    below = slice(int(face()[NOSE, 1]), None)
    torch.testing.assert_close(less[..., below, :], mesh[..., below, :])
    assert (more >= mesh - 1e-6).all()
    assert 1.05 < (more > 0.5).sum() / (mesh > 0.5).sum() < 1.25
