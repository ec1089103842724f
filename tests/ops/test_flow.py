import pytest
import torch

from fsgan_core.ops.flow import compose, identity, lies_within, reflected, resize, sample

LIKE = torch.zeros(1)


def smooth_picture(height=40, width=56):
    x, y = identity(height, width, LIKE)[0]
    return torch.stack((torch.sin(x / 7) * torch.cos(y / 9), torch.cos(x / 11 + y / 8), x / width))[None]


def test_identity_changes_nothing():
    picture = smooth_picture()
    torch.testing.assert_close(sample(picture, identity(40, 56, LIKE)), picture, atol=1e-5, rtol=0)
    torch.testing.assert_close(sample(picture, identity(40, 56, LIKE), "bicubic"), picture, atol=1e-5, rtol=0)


def test_shift_takes_the_pixel_the_flow_names():
    picture = torch.arange(20.0).view(1, 1, 4, 5)
    moved = sample(picture, identity(4, 5, LIKE) + torch.tensor([1.0, 2.0])[:, None, None])
    assert moved[0, 0, 0].tolist() == [11, 12, 13, 14, 14]  # the border is repeated


def test_what_lies_within_is_told_from_what_repeats_the_border():
    within = lies_within(identity(4, 5, LIKE) + torch.tensor([1.0, -2.0])[:, None, None], 4, 5)
    assert within[0, 0].tolist() == [[0] * 5, [0] * 5, [1, 1, 1, 1, 0], [1, 1, 1, 1, 0]]


def test_composition_of_affine_flows_is_their_product():
    grid = identity(32, 32, LIKE)
    first = 1.25 * grid + 3
    second = 0.5 * grid + 7.5
    torch.testing.assert_close(compose(first, second), 1.25 * second + 3, atol=1e-4, rtol=1e-5)


def test_composition_continues_beyond_the_border():
    grid = identity(16, 16, LIKE)
    far = grid + 30
    torch.testing.assert_close(compose(grid, far), far)


def test_many_composed_steps_equal_one_rotation():
    grid = identity(96, 96, LIKE)

    def rotation(degrees):
        angle = torch.tensor(degrees).deg2rad()
        matrix = torch.tensor([[angle.cos(), -angle.sin()], [angle.sin(), angle.cos()]])
        return torch.einsum("ij,bjhw->bihw", matrix, grid - 48) + 48

    total = grid
    for _ in range(8):
        total = compose(rotation(5.0), total)
    inner = (slice(None), slice(None), slice(24, 72), slice(24, 72))
    torch.testing.assert_close(total[inner], rotation(40.0)[inner], atol=1e-2, rtol=0)


def test_resized_flow_reads_the_same_places():
    affine = 2 * identity(16, 16, LIKE) + 1
    finer = resize(affine, 64, 64)
    expected = 2 * (identity(64, 64, LIKE) / 4) + 1
    torch.testing.assert_close(finer[..., 4:-4, 4:-4], expected[..., 4:-4, 4:-4], atol=1e-4, rtol=0)


def test_places_beyond_the_border_are_mirrored():
    picture = torch.arange(8.0).view(1, 1, 1, 8)
    places = torch.stack((torch.tensor([[-1.5, -0.5, 0.5, 7.5, 8.5, 9.5]]), torch.full((1, 6), 0.5)))[None]
    assert sample(picture, reflected(places, picture))[0, 0, 0].tolist() == [1, 0, 0, 7, 7, 6]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_resizing_does_not_depend_on_the_number_of_threads(channels):
    field, threads = torch.rand(2, channels, 128, 128), torch.get_num_threads()
    results = []
    for count in (1, 2):
        torch.set_num_threads(count)
        results.append(resize(field, 174, 300))
    torch.set_num_threads(threads)
    assert torch.equal(*results) and results[0].shape == (2, channels, 174, 300)
