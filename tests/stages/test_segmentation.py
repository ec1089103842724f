import torch

from fsgan_core.stages.pose import load_face_model
from fsgan_core.stages.segmentation import MeshSegmenter

MODEL = load_face_model()


def landmarks(size):
    return (MODEL.mean * 0.35 * size + torch.tensor([size / 2, size / 2, 0.0]))[None]


def test_the_mask_is_the_face_up_to_the_hair():
    size = 200
    points = landmarks(size)
    image = torch.zeros(1, 3, size, size)
    whole = MeshSegmenter(MODEL, forehead=1.0)(image, points) > 0.5
    usual = MeshSegmenter(MODEL)(image, points) > 0.5
    assert whole[0, 0, :, :].any() and (usual <= whole).all() and usual.sum() < whole.sum()
    for point in (4, 152, 50, 280, 105, 334):
        x, y = points[0, point, :2].round().long().tolist()
        assert usual[0, 0, min(y, size - 1) - 1, x], point
    x, top = points[0, 10, :2].round().long().tolist()
    assert whole[0, 0, top + 2, x] and not usual[0, 0, top + 2, x]


def test_the_mask_has_the_same_shape_at_every_size():
    small = MeshSegmenter(MODEL)(torch.zeros(1, 3, 128, 128), landmarks(128))
    large = MeshSegmenter(MODEL)(torch.zeros(1, 3, 512, 512), landmarks(512))
    reduced = torch.nn.functional.interpolate(large, (128, 128), mode="area")
    assert (small - reduced).abs().mean() < 0.01


def test_items_do_not_influence_each_other():
    points = torch.cat((landmarks(96), landmarks(96) + torch.tensor([20.0, 5.0, 0.0])))
    both = MeshSegmenter(MODEL)(torch.zeros(2, 3, 96, 96), points)
    assert (both[1:] == MeshSegmenter(MODEL)(torch.zeros(1, 3, 96, 96), points[1:])).all()
