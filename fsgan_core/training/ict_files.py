"""Arrays of the ICT-FaceKit head from the files that its makers publish: ``FaceXModel`` of ICT-VGL/ICT-FaceKit.

That folder holds one OBJ file a shape, all with the same vertices in the same order: ``generic_neutral_mesh.obj``,
``identity000.obj`` and following, and one file for each expression, named after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FSGANError

NEUTRAL = "generic_neutral_mesh"
LANDMARKS = (
    1278, 1272, 12, 1834, 243, 781, 2199, 1447, 966, 3661, 4390, 3022, 2484, 4036, 2253, 3490, 3496, 268, 493, 1914,
    2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537,
    1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518,
    5957, 5841, 5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)  # fmt: skip
"""Vertices of the 68 iBUG points with the jaw line on the bone, as ICT-FaceKit's README lists them."""
REGIONS = {"face": 0, "head_neck": 9409, "mouth_socket": 11248, "eye_socket_l": 13294, "eye_socket_r": 13678,
           "gums_tongue": 14062, "teeth": 17039, "eyeball_l": 21451, "eyeball_r": 23021, "lacrimal_l": 24591,
           "lacrimal_r": 24795, "eyeblend_l": 24999, "eyeblend_r": 25023, "eyeocc_l": 25047, "eyeocc_r": 25199,
           "lashes_l": 25351, "lashes_r": 26035}  # fmt: skip
"""First vertex of each part, as that README lists them."""
_IRISES = {"iris_r_verts": "M_IrisRight", "iris_l_verts": "M_IrisLeft"}


@dataclass(frozen=True)
class _Surface:
    """Triangles ``(T, 3)`` of vertices, the same of places in the chart, and each one's material ``(T,)``."""

    vertices: NDArray[np.int32]
    places: NDArray[np.int32]
    materials: NDArray[np.str_]


def write_arrays(folder: Path, path: Path) -> None:
    """Convert the head to the one file that the data engine reads.

    Args:
        folder: ``FaceXModel``.
        path: ``.npz`` file to write; it takes the place of one of that name at once.

    Raises:
        FSGANError: a file is missing, is no OBJ file, or has other vertices than the neutral head.
    """
    arrays = read_arrays(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    partial.replace(path)


def read_arrays(folder: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays that docs/data-engine.md lists; shapes in half precision, exact to 0.001 cm.

    Args:
        folder: ``FaceXModel``.

    Raises:
        FSGANError: as :func:`write_arrays`.
    """
    files = sorted(folder.glob("*.obj"))
    shapes = [path for path in files if path.stem != NEUTRAL]
    identities = [path for path in shapes if path.stem.startswith("identity")]
    expressions = [path for path in shapes if path not in identities]
    if len(shapes) == len(files) or not identities or not expressions:
        raise FSGANError(
            f"found {len(files)} OBJ files in {folder}, expected {NEUTRAL}.obj, identity*.obj and those of expressions;"
            " name the folder FaceXModel of ICT-FaceKit"
        )
    try:
        return _arrays(folder / f"{NEUTRAL}.obj", identities, expressions)
    except (ValueError, IndexError) as error:
        raise FSGANError(f"an OBJ file in {folder} is damaged ({error}); take ICT-FaceKit's own files") from error


def _arrays(whole: Path, identities: Sequence[Path], expressions: Sequence[Path]) -> dict[str, NDArray[np.generic]]:
    lines = _lines(whole, "v", "vt", "f", "usemtl")
    neutral, surface = _numbers(lines, "v", 3), _surface(lines)
    names = sorted(set(surface.materials))
    regions = np.searchsorted(list(REGIONS.values()), np.arange(len(neutral)), side="right") - 1
    arrays: dict[str, NDArray[np.generic]] = {
        "neutral": neutral,
        "id_basis": _differences(identities, neutral),
        "ex_basis": _differences(expressions, neutral),
        "ex_names": np.array([path.stem for path in expressions]),
        "tri": surface.vertices,
        "tri_uv": surface.places,
        "uv": _numbers(lines, "vt", 2),
        "tri_material": np.searchsorted(names, surface.materials),
        "material_names": np.array(names),
        "vert_region": regions,
        "region_names": np.array(list(REGIONS)),
        "lmk68_jaw3d": np.array(LANDMARKS),
    }
    for name, material in _IRISES.items():
        used = surface.vertices[surface.materials == material]
        if not len(used):
            raise FSGANError(f"{whole} has no material {material}; take ICT-FaceKit's own file")
        arrays[name] = np.array([used.min(), used.max() + 1])
    return arrays


def _lines(path: Path, *kinds: str) -> list[list[str]]:
    """The words of the lines of some kinds."""
    starts = tuple(f"{kind} " for kind in kinds)
    text = path.read_text(encoding="utf-8", errors="replace")
    return [line.split() for line in text.splitlines() if line.startswith(starts)]


def _numbers(lines: Sequence[Sequence[str]], kind: str, width: int) -> NDArray[np.float32]:
    """Vertices (``v``) or places in the chart (``vt``)."""
    rows = [words[1 : width + 1] for words in lines if words[0] == kind]
    return np.array(rows, np.float32).reshape(-1, width)


def _surface(lines: Sequence[Sequence[str]]) -> _Surface:
    """Polygons as fans of triangles. Every corner is ``vertex/place``, counted from 1."""
    corners, materials, material = list[list[list[int]]](), list[str](), ""
    for words in lines:
        if words[0] == "usemtl":
            material = words[1]
        elif words[0] == "f":
            polygon = [[int(number) - 1 for number in word.split("/")[:2]] for word in words[1:]]
            fan = [[polygon[0], polygon[i], polygon[i + 1]] for i in range(1, len(polygon) - 1)]
            corners += fan
            materials += [material] * len(fan)
    numbers = np.array(corners, np.int32).reshape(-1, 3, 2)
    return _Surface(numbers[..., 0], numbers[..., 1], np.array(materials, np.str_))


def _differences(files: Sequence[Path], neutral: NDArray[np.float32]) -> NDArray[np.float16]:
    found = []
    for path in files:
        vertices = _numbers(_lines(path, "v"), "v", 3)
        if vertices.shape != neutral.shape:
            raise FSGANError(
                f"{path} has {len(vertices)} vertices, expected {len(neutral)} as {NEUTRAL}.obj; take all from one"
                " version of ICT-FaceKit"
            )
        found.append((vertices - neutral).astype(np.float16))
    return np.stack(found)
