import pytest
import torch

from fsgan_core.ops import face_model as F
from fsgan_core.ops.geometry import angle, rotation_matrix
from fsgan_core.ops.landmarks import to_ibug68
from fsgan_core.stages.pose import load_face_model


@pytest.fixture(scope="module")
def model():
    return load_face_model()


def people(model, count, seed=0, spread=0.5):
    """Made-up faces whose coefficients and poses are known."""
    generator = torch.Generator().manual_seed(seed)
    pose = (torch.rand(count, 3, generator=generator) - 0.5) * torch.tensor([70.0, 30.0, 40.0])
    expression = torch.zeros(count, len(model.names))
    for name, amount in (("jawOpen", 0.5), ("eyeBlink_L", 0.8), ("mouthSmile_R", 0.6), ("browInnerUp_L", 0.4)):
        expression[:, model.names.index(name)] = amount * torch.rand(count, generator=generator)
    return F.Fit(
        scale=80 + 40 * torch.rand(count, generator=generator),
        rotation=rotation_matrix(pose),
        translation=100 * torch.rand(count, 3, generator=generator),
        identity=spread * torch.randn(count, len(model.identity), generator=generator),
        expression=expression,
    )


def error(model, fit, true):
    """Mean distance in the picture, in distances between the eye corners."""
    away = (F.points(model, fit) - F.points(model, true))[..., :2].norm(dim=-1)
    return (away / true.scale[:, None]).mean().item()


@pytest.mark.parametrize(("dimensions", "limit"), [(3, 0.004), (2, 0.004)])
def test_faces_of_the_model_are_found_again(model, dimensions, limit):
    true = people(model, 6)
    found = F.fit(model, F.points(model, true)[..., :dimensions])
    assert error(model, found, true) < limit
    assert angle(found.rotation, true.rotation).max().item() < 4
    assert found.translation.shape == (6, dimensions)


def test_expressions_are_told_apart(model):
    true = people(model, 6, spread=0.2)
    found = F.fit(model, F.points(model, true))
    for name in ("jawOpen", "eyeBlink_L", "mouthSmile_R"):
        k = model.names.index(name)
        assert (found.expression[:, k] - true.expression[:, k]).abs().max().item() < 0.2


def test_expressions_stay_within_their_limits(model):
    wild = people(model, 3)
    wild.expression[:, model.names.index("jawOpen")] = 3.0
    found = F.fit(model, F.points(model, wild)).expression
    assert found.min().item() == pytest.approx(F.LIMITS[0])
    assert found.max().item() == pytest.approx(F.LIMITS[1])


def test_faces_of_a_batch_do_not_know_of_each_other(model):
    landmarks = F.points(model, people(model, 4))
    together, alone = F.fit(model, landmarks), F.fit(model, landmarks[2:3])
    torch.testing.assert_close(together.identity[2:3], alone.identity, atol=2e-3, rtol=0)
    torch.testing.assert_close(together.scale[2:3], alone.scale, atol=1e-2, rtol=0)


def test_size_and_place_do_not_change_the_face(model):
    landmarks = F.points(model, people(model, 2))
    near, far = F.fit(model, landmarks), F.fit(model, 0.25 * landmarks + 50)
    torch.testing.assert_close(near.expression, far.expression, atol=2e-3, rtol=0)
    torch.testing.assert_close(0.25 * near.scale, far.scale, rtol=1e-3, atol=0)


def test_frames_of_one_person_share_an_identity(model):
    true = people(model, 5)
    true = F.Fit(true.scale, true.rotation, true.translation, true.identity[:1].expand(5, -1), true.expression)
    noisy = F.points(model, true) + torch.randn(5, 478, 3, generator=torch.Generator().manual_seed(1))
    found = F.fit(model, noisy, shared_identity=True)
    assert (found.identity == found.identity[:1]).all()
    assert error(model, found, true) < 0.01


def test_points_without_weight_may_be_anywhere(model):
    true = people(model, 2, spread=0.1)
    landmarks = F.points(model, true)
    weights = torch.ones(1, 478)
    weights[:, 200:260] = 0
    broken = landmarks.clone()
    broken[:, 200:260] += 60
    assert error(model, F.fit(model, broken, weights=weights), true) < 0.008


def test_canonical_undoes_the_pose(model):
    true = people(model, 3)
    torch.testing.assert_close(F.canonical(true, F.points(model, true)), F.shape(model, true), atol=1e-4, rtol=0)


def test_poses_of_the_posed_mean_are_exact(model):
    pose = torch.tensor([[25.0, -10, 5], [-80, 20, -30], [0, 0, 170]])
    still = people(model, 3, spread=0.0)
    still = F.Fit(still.scale, rotation_matrix(pose), still.translation, still.identity, 0 * still.expression)
    torch.testing.assert_close(F.poses(model, F.points(model, still)), pose, atol=1e-2, rtol=0)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_dense_points_from_sparse_ones(model, dimensions):
    true = people(model, 4)
    dense = F.points(model, true)
    found = F.from_68(model, to_ibug68(dense)[..., :dimensions])
    assert found.shape == (4, 478, 3)
    away = (found - dense)[..., :2].norm(dim=-1) / true.scale[:, None]
    assert away.mean().item() < 0.03
    inner = (to_ibug68(found) - to_ibug68(dense))[:, 17:, :2].norm(dim=-1) / true.scale[:, None]
    assert inner.mean().item() < 0.005


def test_strange_shapes_are_refused(model):
    with pytest.raises(ValueError, match="478 or 68"):
        F.fit(model, torch.zeros(1, 98, 2))
