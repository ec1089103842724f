import numpy as np
import pytest
import torch

from fsgan_core.ops.geometry import rotation_matrix
from fsgan_core.ops.mesh import facing, interpolate, rasterize, unevenness, vertex_facing


def plain_rasterize(vertices, triangles, height, width):
    """The definition, one pixel and one triangle at a time, in float64."""
    number = np.full((height, width), -1)
    depth = np.full((height, width), np.inf)
    for t, corners in enumerate(vertices[triangles].astype(np.float64)):
        (ax, ay, _), (bx, by, _), (cx, cy, _) = corners
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        for y in range(height):
            for x in range(width):
                px, py = x + 0.5, y + 0.5
                v = ((px - ax) * (cy - ay) - (py - ay) * (cx - ax)) / area
                w = ((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / area
                bary = np.array([1 - v - w, v, w])
                if bary.min() >= 0 and bary @ corners[:, 2] < depth[y, x]:
                    depth[y, x], number[y, x] = bary @ corners[:, 2], t
    return number


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_plain_definition(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.uniform((-8, -8, 0), (40, 32, 10), (24, 3)).astype(np.float32)
    triangles = np.stack([rng.choice(24, 3, replace=False) for _ in range(18)])
    number, _ = rasterize(torch.tensor(vertices)[None], torch.tensor(triangles), 24, 32)
    expected = plain_rasterize(vertices, triangles, 24, 32)
    assert (number[0].numpy() != expected).mean() < 0.004  # pixels on an edge may fall to either side


def test_barycentric_coordinates_carry_a_linear_function_exactly():
    vertices = torch.tensor([[[1.0, 1, 0], [30, 3, 0], [5, 28, 0]]])
    triangles = torch.tensor([[0, 1, 2]])
    number, bary = rasterize(vertices, triangles, 32, 32)
    drawn = interpolate(vertices[..., :2], triangles, number, bary)
    y, x = torch.meshgrid(torch.arange(32) + 0.5, torch.arange(32) + 0.5, indexing="ij")
    hit = number[0] == 0
    assert hit.sum() > 300
    torch.testing.assert_close(drawn[0, 0][hit], x[hit], atol=1e-4, rtol=0)
    torch.testing.assert_close(drawn[0, 1][hit], y[hit], atol=1e-4, rtol=0)
    assert (drawn[0][:, ~hit] == 0).all()


def test_shared_edges_leave_no_gap_and_items_are_independent():
    square = torch.tensor([[2.0, 2, 0], [61, 2, 0], [61, 61, 0], [2, 61, 0], [31.3, 30.7, 0]])
    fan = torch.tensor([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    batch = torch.stack((square, square * 0.5))
    number, bary = rasterize(batch, fan, 64, 64)
    assert (number[0, 3:60, 3:60] >= 0).all()
    alone, alone_bary = rasterize(batch[1:], fan, 64, 64)
    assert (number[1:] == alone).all() and (bary[1:] == alone_bary).all()


def test_kept_out_degenerate_and_offscreen_triangles_are_not_drawn():
    vertices = torch.tensor([[[0.0, 0, 0], [8, 0, 0], [0, 8, 0], [8, 8, 0], [-9, -9, 0], [-2, -9, 0], [-9, -2, 0]]])
    triangles = torch.tensor([[0, 1, 2], [0, 1, 1], [4, 5, 6]])
    number, _ = rasterize(vertices, triangles, 8, 8)
    assert set(number.unique().tolist()) == {-1, 0}
    number, bary = rasterize(vertices, triangles, 8, 8, torch.tensor([[False, True, True]]))
    assert (number == -1).all() and (bary == 0).all()


def test_facing_is_the_cosine_to_the_camera():
    angle = torch.tensor([0.0, 60.0, 120.0]).deg2rad()
    flat = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    turned = torch.stack(
        [flat[:, 0] * angle.cos()[:, None], flat[:, 1].expand(3, 3), flat[:, 0] * angle.sin()[:, None]], -1
    )
    triangles = torch.tensor([[0, 1, 2]])
    torch.testing.assert_close(facing(turned, triangles)[:, 0], angle.cos(), atol=1e-6, rtol=0)
    torch.testing.assert_close(vertex_facing(turned, triangles), angle.cos()[:, None].expand(3, 3), atol=1e-6, rtol=0)


def test_triangles_with_corners_at_no_place_are_not_drawn():
    vertices = torch.tensor([[[0.0, 0, 0], [8, 0, 0], [0, 8, 0], [torch.inf, 0, 0], [torch.nan, 1, 0]]])
    number, bary = rasterize(vertices, torch.tensor([[0, 1, 3], [0, 1, 4], [0, 1, 2]]), 8, 8)
    assert set(number.unique().tolist()) == {-1, 2} and bary.isfinite().all()


def test_the_nearest_wins_at_depths_of_either_sign_and_the_first_among_equals():
    square = torch.tensor([[0.0, 0], [9, 0], [0, 9]])
    depths = (3.0, -2.0, 1e-3, -2.0, -1e-3)
    vertices = torch.cat([torch.cat((square, torch.full((3, 1), depth)), 1) for depth in depths])[None]
    number, _ = rasterize(vertices, torch.arange(15).view(5, 3), 4, 4)
    assert (number == 1).all()


def test_unevenness_tells_stretch_one_way_and_not_growth_or_turns():
    square = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]])
    triangles = torch.tensor([[0, 1, 2], [0, 2, 3]])
    grown = 3 * square @ rotation_matrix(torch.tensor([[0.0, 0.0, 30.0]]))[0].T
    torch.testing.assert_close(unevenness(square, grown, triangles), torch.zeros(1, 4), atol=1e-4, rtol=0)
    wide = square * torch.tensor([4.0, 1, 1])
    torch.testing.assert_close(unevenness(square, wide, triangles), torch.full((1, 4), 2.0))
    torch.testing.assert_close(unevenness(wide, square, triangles), torch.full((1, 4), 2.0))
    flat = square * torch.tensor([1.0, 0, 1])
    assert unevenness(flat, square, triangles).isfinite().all() and (unevenness(flat, square, triangles) > 4).all()
