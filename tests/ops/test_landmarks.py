import numpy as np
import pytest
import torch

from fsgan_core.ops import landmarks as L


def test_sparse_points_are_means_of_their_groups():
    dense = np.random.default_rng(0).normal(size=(2, 3, L.COUNT, 3))
    sparse = L.to_ibug68(dense)
    assert sparse.shape == (2, 3, 68, 3)
    for k, group in enumerate(L.IBUG_68):
        np.testing.assert_allclose(sparse[..., k, :], dense[..., list(group), :].mean(-2))


def test_torch_and_numpy_agree():
    dense = torch.rand(4, L.COUNT, 2)
    np.testing.assert_array_equal(L.to_ibug68(dense).numpy(), L.to_ibug68(dense.numpy()))


def test_sparse_input_is_refused():
    with pytest.raises(ValueError, match="expected 478"):
        L.to_ibug68(np.zeros((68, 2)))


@pytest.mark.parametrize("name", ["FACE_OVAL", "LIPS_OUTER", "LIPS_INNER", "RIGHT_EYE", "LEFT_EYE", "RIGID", "NOSE"])
def test_no_point_is_named_twice(name):
    points = getattr(L, name)
    assert len(set(points)) == len(points)
    assert all(0 <= p < L.COUNT for p in points)
