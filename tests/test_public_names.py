"""The names a user may rely on: none disappears by accident, each is documented where it is made."""

import ast
import inspect

import pytest

import fsgan_core

NAMES = {
    *("Marking", "Clip", "Frames", "Still"),
    *("Image", "Video", "VideoWriter", "is_video", "read_image", "read_marking", "write_image"),
    *("Backends", "Models", "Analysis", "FaceSequence", "Track", "AppearanceMap"),
    *("AnalyzeOptions", "Controls", "ReenactOptions", "SwapOptions", "UserMask"),
    *(
        "analyze",
        "build_appearance_map",
        "edit",
        "load_analysis",
        "reenact",
        "reenact_crops",
        "save_analysis",
        "select",
        "swap",
    ),
    *("FSGANError", "NoFaceError", "MediaError", "WeightsError"),
}


def test_the_list_is_complete() -> None:
    assert set(fsgan_core.__all__) == NAMES
    assert len(fsgan_core.__all__) == len(NAMES)
    assert set(dir(fsgan_core)) >= NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_each_is_there_and_documented(name: str) -> None:
    assert inspect.getdoc(getattr(fsgan_core, name))


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(inspect.getsource(fsgan_core))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    assert {alias.name for node in imports for alias in node.names} == NAMES


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="nothing_like_this"):
        fsgan_core.nothing_like_this  # noqa: B018
