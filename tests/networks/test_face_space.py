import torch

from fsgan_core.networks.face_space import FaceSpace, FaceSpaceConfig, relative


def population(count, seed):
    """Pictures that differ in three ways, with relative colours."""
    rng = torch.Generator().manual_seed(0)
    ways = torch.randn(3, 3, 16, 16, generator=rng)
    amounts = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed))
    return torch.einsum("nk,kchw->nchw", amounts, ways)


def normal(faces):
    middle, spread = relative(faces, torch.ones(len(faces), 1, 16, 16))
    return (faces - middle) / spread


def test_a_hidden_half_follows_from_the_other():
    model = FaceSpace(FaceSpaceConfig(size=16, rank=8, noise=0.01))
    model.fit(normal(population(400, 1)))
    face, known = 0.5 + 0.1 * normal(population(8, 2)), torch.ones(8, 1, 16, 16)
    known[..., 8:] = 0
    found = model(torch.where(known > 0, face, 0.0), known)
    gap, size = (found - face).abs()[..., 8:].mean(), (face - 0.5).abs()[..., 8:].mean()
    assert gap < 0.25 * size


def test_colours_scale_with_the_face():
    model = FaceSpace(FaceSpaceConfig(size=16, rank=4))
    model.fit(normal(population(50, 1)))
    face, known = 0.1 * population(2, 5), torch.ones(2, 1, 16, 16)
    known[..., 10:] = 0
    assert torch.allclose(model(0.5 * face + 0.2, known), 0.5 * model(face, known) + 0.2, atol=1e-4)


def test_nothing_seen_gives_a_finite_face():
    model = FaceSpace(FaceSpaceConfig(size=16, rank=4))
    model.fit(normal(population(50, 1)))
    assert model(torch.zeros(1, 3, 16, 16), torch.zeros(1, 1, 16, 16)).isfinite().all()
