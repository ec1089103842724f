"""The published OBJ files of a head become the arrays that the data engine reads."""

import numpy as np
import pytest

from fsgan_core.cli import main
from fsgan_core.training.ict_files import LANDMARKS, REGIONS
from fsgan_core.training.ict_head import read_head

CORNERS = np.array([[-1, 1, -3], [1, 1, -3], [1, -1, -3], [-1, -1, -3], [0, 0, 2.5]])
FILES = {
    "generic_neutral_mesh": 0,
    "identity000": [0.5, 0, 0],
    "identity001": [0, 0, 0.25],
    "jawOpen": [0, -2, 0],
    "PupilDilate_L": [0, 0.125, 0],
}


@pytest.fixture
def published(tmp_path):
    """A square of skin, a triangle behind it, and an iris a side."""
    faces = {"M_Face": "f 1/1/1 2/2/1 3/3/1 4/4/1", "M_BackHead": "f 1/1 5/5 2/2", "M_IrisLeft": "f 1 2 3",
             "M_IrisRight": "f 3/1 4/1 5/1"}  # fmt: skip
    faces["M_IrisLeft"] = "f 1/1 2/1 3/1"
    surface = [f"usemtl {name}\n{face}" for name, face in faces.items()]
    places = [f"vt {x} {y}" for x, y in ((0, 0), (1, 0), (1, 1), (0, 1), (6.5, 0.5))]
    folder = tmp_path / "FaceXModel"
    folder.mkdir()
    for name, move in FILES.items():
        rows = [f"v {x} {y} {z}" for x, y, z in CORNERS + move]
        text = ["# licence", "", "mtllib a.mtl", *rows, *places, "vn 0 0 1", *surface]
        (folder / f"{name}.obj").write_text("\n".join(text))
    return folder


def convert(folder, path):
    return main(["dataset", "ict", str(folder), "-o", str(path)])


def test_shapes_surface_and_parts_are_read(published, tmp_path):
    path = tmp_path / "material" / "ict" / "head.npz"
    assert convert(published, path) == 0
    assert [file.name for file in path.parent.iterdir()] == ["head.npz"]
    with np.load(path) as data:
        np.testing.assert_array_equal(data["neutral"], CORNERS.astype(np.float32))
        moves = dict(zip(data["ex_names"].tolist(), data["ex_basis"], strict=True))
        assert list(moves) == ["PupilDilate_L", "jawOpen"] and (moves["jawOpen"] == [0, -2, 0]).all()
        assert (data["id_basis"] == np.array([[0.5, 0, 0], [0, 0, 0.25]])[:, None]).all()
        # A square is a fan of two triangles, seen from the same side.
        assert data["tri"].tolist() == [[0, 1, 2], [0, 2, 3], [0, 4, 1], [0, 1, 2], [2, 3, 4]]
        assert data["uv"][data["tri_uv"][2]].tolist() == [[0, 0], [6.5, 0.5], [1, 0]]
        kinds = data["material_names"][data["tri_material"]].tolist()
        assert kinds == ["M_Face", "M_Face", "M_BackHead", "M_IrisLeft", "M_IrisRight"]
        assert data["iris_l_verts"].tolist() == [0, 3] and data["iris_r_verts"].tolist() == [2, 5]
        assert set(data["region_names"][data["vert_region"]]) == {"face"}


def test_the_head_is_what_the_engine_reads(published, tmp_path):
    assert convert(published, tmp_path / "head.npz") == 0
    head = read_head(tmp_path / "head.npz")
    np.testing.assert_allclose(head.neutral, CORNERS * [1, -1, -1])
    assert head.names == ("PupilDilate_L", "jawOpen") and (head.expression[1] == [0, 2, 0]).all()
    assert len(head.points68) == 68 == len(set(LANDMARKS)) and max(LANDMARKS) < REGIONS["head_neck"]
    assert head.face.tolist() == []  # the skin lies behind the ears' depth


def test_what_is_no_head_is_refused(fails, published, tmp_path):
    words = ("dataset", "ict", published, "-o", tmp_path / "head.npz")
    neutral = published / "generic_neutral_mesh.obj"
    text = neutral.read_text()
    neutral.write_text(text.replace("M_IrisRight", "M_Teeth"))
    assert "has no material M_IrisRight" in fails(*words)
    neutral.write_text(text.replace("f 1/1 5/5 2/2", "f 1/1 5/5 none"))
    assert "is damaged" in fails(*words)
    neutral.write_text(text)
    (published / "jawOpen.obj").write_text("v 0 0 0\n")
    assert "jawOpen.obj has 1 vertices, expected 5" in fails(*words)
    neutral.unlink()
    assert "expected generic_neutral_mesh.obj" in fails(*words)
    assert not (tmp_path / "head.npz").exists()
