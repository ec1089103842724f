"""The rig is cut from a head, bound to its landmarks and unrolled; the head here is the bundled face model in clay."""

import numpy as np
import pytest
import torch

from fsgan_core.ops.mesh import facing
from fsgan_core.training.anchors import Anchors
from fsgan_core.training.face_topology import unrolled
from fsgan_core.training.ict_head import Head
from fsgan_core.training.rig import CHART, GUMS, LEFT_BALL, RIGHT_BALL, SHEET, SKIN, TEETH, THROAT, landmarks
from fsgan_core.training.rig_building import build_rig

CENTIMETRES = 8.7


def ball(centre, radius=1.4, rows=9, columns=12):
    """Vertices and outward triangles of a sphere."""
    down, around = np.meshgrid(np.linspace(0.1, np.pi - 0.1, rows), np.arange(columns) * 2 * np.pi / columns)
    points = np.stack([np.sin(down) * np.cos(around), np.cos(down), np.sin(down) * np.sin(around)], 2).reshape(-1, 3)
    grid = np.arange(rows * columns).reshape(columns, rows)
    a, b = grid, np.roll(grid, -1, 0)
    quads = np.stack([a[:, :-1], b[:, :-1], b[:, 1:], a[:, 1:]], 2).reshape(-1, 4)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inward = (normals * corners.mean(1)).sum(1) < 0
    triangles[inward] = triangles[inward][:, ::-1]
    return points * radius + centre, triangles


@pytest.fixture(scope="module")
def built(model):
    mean = model.mean.double().numpy() * CENTIMETRES
    skin = model.triangles[model.regions == 0].numpy()[:, ::-1]
    parts, triangles, kinds = [mean], [skin], ["M_Face"] * len(skin)
    solids = {"M_ScleraRight": 468, "M_ScleraLeft": 473, "M_Teeth": 13, "M_GumsTongue": 14, "mouth_socket": 14}
    for name, point in solids.items():
        depth = 1.5 if name.startswith("M_Sclera") else 3.0
        points, faces = ball(mean[point] + [0, 0, depth])
        triangles.append(faces + sum(map(len, parts)))
        parts.append(points)
        kinds += [name] * len(faces)
    neutral = np.concatenate(parts)
    rng = np.random.default_rng(0)
    names = ("PupilDilate_L", *model.names)
    head = Head(
        neutral=neutral,
        triangles=np.concatenate(triangles),
        face=skin,
        identity=rng.normal(0, 0.1, (3, *neutral.shape)).astype(np.float32),
        expression=np.zeros((len(names), *neutral.shape), np.float32),
        names=names,
        points68=np.zeros(68, np.int64),
        eyeballs=(np.arange(1), np.arange(1)),
    )
    weights = np.zeros((478, 3))
    weights[:, 0] = 1
    anchors = Anchors(np.repeat(np.arange(478)[:, None], 3, 1), weights)
    flat = unrolled(model.mean.double().numpy())
    chart = np.zeros((len(neutral), 2))
    chart[:478] = 0.2 + 0.6 * (flat - flat.min(0)) / np.ptp(flat, 0)
    return build_rig(head, anchors, model, chart, np.array(kinds))


def test_the_rig_lies_in_the_face_models_space(built, model):
    torch.testing.assert_close(landmarks(built, built.neutral[None])[0], model.mean, atol=1e-4, rtol=0)
    assert built.names == model.names and built.identity.shape[0] == 3


def test_every_part_is_there_and_faces_the_camera(built):
    assert set(built.parts.tolist()) == {SKIN, RIGHT_BALL, LEFT_BALL, TEETH, GUMS, THROAT}
    towards = facing(built.neutral[None], built.triangles)[0] > 0
    assert towards[built.parts == SKIN].float().mean() > 0.9
    # Of the eyeballs only the front is kept.
    assert towards[(built.parts == RIGHT_BALL) | (built.parts == LEFT_BALL)].all()


def test_each_part_has_its_own_place_in_the_sheet(built):
    assert (built.place >= 0).all() and (built.place <= torch.tensor(SHEET[::-1])).all()
    corners = built.place[built.triangles]
    assert (corners[built.parts == SKIN][..., 0] < CHART).all()
    plain = [corners[built.parts == part].flatten(0, 1).unique(dim=0) for part in (TEETH, GUMS, THROAT)]
    assert [len(places) for places in plain] == [1, 1, 1] and len(torch.cat(plain).unique(dim=0)) == 3
    assert built.fade[..., CHART:].min() == 1 and built.fade[0, 0, 0, :CHART].max() < 0.1


def test_vertices_follow_their_landmarks(built):
    """What the landmarks are off is made good, within a hundredth, when all move alike."""
    off = torch.tensor([0.03, -0.02, 0.0]).expand(468, 3)
    moved = (
        landmarks(built, (built.neutral + built.spread @ off)[None])[0, :468]
        - landmarks(built, built.neutral[None])[0, :468]
    )
    assert (moved - off).norm(dim=1).median() < 0.004
