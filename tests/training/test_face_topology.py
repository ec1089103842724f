import numpy as np
import pytest
from scipy.spatial import Delaunay

from fsgan_core.ops import landmarks as L
from fsgan_core.training import face_topology as G
from fsgan_core.weights.checkpoint import OPEN, load_weights


@pytest.fixture(scope="module")
def bundled():
    tensors, _ = load_weights(OPEN / "face_model.safetensors", "face_model")
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def edges(triangles):
    return {tuple(sorted(map(int, pair))) for t in triangles for pair in (t[:2], t[1:], t[::2])}


@pytest.mark.parametrize("seed", range(5))
def test_any_edge_can_be_forced(seed):
    points = np.random.default_rng(seed).random((40, 2))
    points[:2] = [0.05, 0.5], [0.95, 0.51]
    start = Delaunay(points).simplices.astype(np.int64)
    forced = G.with_edge(start, points, (0, 1))
    assert (0, 1) in edges(forced)
    assert len(forced) == len(start)
    area = np.abs(G.signed_area(points[start])).sum()
    assert np.abs(G.signed_area(points[forced])).sum() == pytest.approx(area)


def test_inside_a_square():
    ring = np.array([[0, 0], [2, 0], [2, 2], [0, 2]], float)
    points = np.array([[1, 1], [3, 1], [-1, 1], [1, 2.5]], float)
    assert G.inside(points, ring).tolist() == [True, False, False, False]


def test_mesh_is_symmetric_and_faces_the_camera(bundled):
    mean, mirror, triangles = bundled["mean"], bundled["mirror"], bundled["triangles"]
    np.testing.assert_array_equal(mirror[mirror], np.arange(L.COUNT))
    np.testing.assert_allclose(mean[mirror] * [-1, 1, 1], mean, atol=1e-6)
    assert {frozenset(t) for t in triangles.tolist()} == {frozenset(t) for t in mirror[triangles].tolist()}
    assert (G.signed_area(mean[triangles]) > 0).all()


def test_mesh_is_a_disc_whose_border_is_the_face_oval(bundled):
    sides = np.concatenate([bundled["triangles"][:, pair] for pair in ([0, 1], [1, 2], [2, 0])])
    found, counts = np.unique(np.sort(sides, 1), axis=0, return_counts=True)
    assert counts.max() == 2
    border = {tuple(edge) for edge in found[counts == 1].tolist()}
    assert border == {tuple(sorted(edge)) for edge in G.ring_edges(L.FACE_OVAL)}
    used = np.unique(bundled["triangles"])
    assert set(range(L.COUNT)) - set(used.tolist()) == set(G.LEFT_OUT)
    assert len(used) - len(found) + len(bundled["triangles"]) == 1


def test_rings_are_edges_and_bound_their_regions(bundled):
    found = edges(bundled["triangles"])
    for ring in G.RINGS:
        assert {tuple(sorted(edge)) for edge in G.ring_edges(ring)} <= found
    mouth = bundled["triangles"][bundled["regions"] == G.MOUTH]
    assert set(mouth.ravel().tolist()) == set(L.LIPS_INNER)
    right = bundled["triangles"][bundled["regions"] == G.RIGHT_OPENING]
    assert set(right.ravel().tolist()) == {*L.RIGHT_EYE, 468, 469, 471}
