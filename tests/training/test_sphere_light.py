"""Light as spherical harmonics."""

import torch

from fsgan_core.training.sphere_light import basis, estimate_light, shading


def ball(count=800):
    k = torch.arange(count) + 0.5
    z = 1 - 2 * k / count
    angle = k * 2.399963
    level = (1 - z**2).sqrt()
    return torch.stack((level * angle.cos(), level * angle.sin(), z), 1)


def test_the_basis_spans_lambertian_light_from_any_side():
    normals = ball()
    for direction in torch.eye(3):
        lambert = (normals @ direction).clamp_min(0)
        rows = basis(normals)
        fitted = rows @ torch.linalg.lstsq(rows, lambert[:, None]).solution
        # Nine harmonics hold 99 % of the energy of a cosine lobe (Basri and Jacobs 2003).
        assert ((fitted[:, 0] - lambert) ** 2).sum() < 0.01 * (lambert**2).sum()


def test_light_from_the_left_is_found_on_a_ball():
    normals = ball()[None]
    centre = torch.tensor([64.0, 64.0, 0.0])
    vertices = normals * 50 + centre
    y, x = torch.meshgrid(torch.arange(128) + 0.5, torch.arange(128) + 0.5, indexing="ij")
    nx, ny = (x - 64) / 50, (y - 64) / 50
    nz = -(1 - nx**2 - ny**2).clamp_min(0).sqrt()
    true = torch.zeros(1, 9, 3)
    true[:, 0], true[:, 1] = 0.5, -0.4
    linear = shading(true, torch.stack((nx, ny, nz), 2).flatten(0, 1)[None])[0].T.view(1, 3, 128, 128)
    depth = torch.where(nz < 0, nz * 50, 1e6)[None, None]
    photo = (0.6 * linear) ** (1 / 2.2)
    found = estimate_light(photo, vertices, normals, depth, torch.arange(800))
    assert (found[0, 1] < -0.3).all() and (found[0, 2].abs() < 0.1).all()
    sides = shading(found, torch.tensor([[[-0.8, 0, -0.6], [0.8, 0, -0.6]]]))[0, :, 0]
    expected = shading(true, torch.tensor([[[-0.8, 0, -0.6], [0.8, 0, -0.6]]]))[0, :, 0]
    assert abs(float(sides[0] / sides[1]) - float(expected[0] / expected[1])) < 1.2
