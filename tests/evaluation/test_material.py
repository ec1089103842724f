"""What is evaluated: pairs of folders and lists, parts of clips, the layout of FaceForensics++."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fsgan_core.errors import MediaError
from fsgan_core.evaluation.material import Library, Subject, faceforensics, pairs, read_pairs
from fsgan_core.media import Image, write_image
from fsgan_core.models import Models
from fsgan_core.streams import Frame, Frames, Part


def touched(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_folder_is_a_ring(tmp_path: Path) -> None:
    touched(tmp_path, "a.jpg", "b.mp4", "c.png", "notes.txt")
    assert [(pair.source.name, pair.target.name) for pair in pairs(tmp_path)] == [
        ("b.mp4", "a.jpg"),
        ("c.png", "b.mp4"),
        ("a.jpg", "c.png"),
    ]
    assert pairs(tmp_path)[0].name == "b on a"


def test_sources_go_onto_targets(tmp_path: Path) -> None:
    touched(tmp_path, "sources/s.jpg", "sources/u.jpg", "targets/t.mp4")
    assert [pair.name for pair in pairs(tmp_path)] == ["s on t", "u on t"]


def test_a_list_is_relative_to_its_folder(tmp_path: Path) -> None:
    touched(tmp_path, "a.jpg", "clips/b.mp4")
    table = tmp_path / "pairs.csv"
    table.write_text("source,target\na.jpg,clips/b.mp4\n")
    assert pairs(table)[0].target == tmp_path / "clips" / "b.mp4"
    with pytest.raises(MediaError, match="is not there"):
        read_pairs(table, tmp_path / "clips")
    table.write_text("from,to\na.jpg,b.mp4\n")
    with pytest.raises(MediaError, match="expected source, target"):
        pairs(table)


def test_nothing_to_evaluate_is_said(tmp_path: Path) -> None:
    touched(tmp_path, "alone.jpg")
    with pytest.raises(MediaError, match="no pair"):
        pairs(tmp_path)
    with pytest.raises(MediaError, match="no folder and no CSV"):
        pairs(tmp_path / "alone.jpg")


def test_a_part_is_walked_again_and_again() -> None:
    clip = Frames([np.full((4, 4, 3), n, np.uint8) for n in range(10)], Fraction(30))
    part = Part(clip, 3, 2)
    assert [int(frame[0, 0, 0]) for frame in part] == [0, 2, 4] == [int(frame[0, 0, 0]) for frame in part]
    assert (part.size, part.rate) == ((4, 4), 15)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n", "expected source, target"),
        (b"source,target\na.jpg\n", "line 2 .* lacks a file"),
        (b"source,target\na.jpg,b.mp4\n", "a.jpg, which is not there"),
        (b"\xff\xfe\x00\n", "no CSV in UTF-8"),
    ],
)
def test_a_bad_table_is_refused_with_what_is_wrong(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "pairs.csv").write_bytes(content)
    with pytest.raises(MediaError, match=message):
        pairs(tmp_path / "pairs.csv")


def test_a_file_without_a_face_is_left_out_with_a_note(tmp_path: Path, models: Models, face: Frame) -> None:
    write_image(tmp_path / "wall.png", Image(np.full((64, 64, 3), 99, np.uint8)), marking=None)
    write_image(tmp_path / "face.png", Image(face), marking=None)
    library = Library(models)
    assert library.subject(tmp_path / "wall.png") is None
    assert "no face" in library.skipped["wall.png"]
    found = library.subject(tmp_path / "face.png")
    assert found is not None
    assert found is library.subject(tmp_path / "face.png")
    assert len(found.source()) == 1


def test_faceforensics_layout(tmp_path: Path) -> None:
    touched(
        tmp_path,
        *(f"original_sequences/youtube/{kind}/videos/{name}.mp4" for kind in ("c23", "c40") for name in ("000", "003")),
        "original_sequences/actors/c40/videos/01__walking.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/003_000.mp4",
        "manipulated_sequences/FaceSwap/c23/videos/000_003.mp4",
        "manipulated_sequences/FaceSwap/c23/masks/000_003.mp4",
        "manipulated_sequences/FaceSwap/c23/videos/000_999.mp4",
        "manipulated_sequences/NeuralTextures/c40/videos/003_000.mp4",
    )
    found = faceforensics(tmp_path)
    assert [(pair.target.stem, pair.source.stem, sorted(pair.given)) for pair in found] == [
        ("000", "003", ["Deepfakes", "FaceSwap"]),
        ("003", "000", ["Deepfakes"]),
    ]
    assert found[0].target == tmp_path / "original_sequences" / "youtube" / "c23" / "videos" / "000.mp4"
    assert [sorted(pair.given) for pair in faceforensics(tmp_path, methods=["FaceSwap"])] == [["FaceSwap"]]
    assert [sorted(pair.given) for pair in faceforensics(tmp_path, "c40")] == [["NeuralTextures"]]
    with pytest.raises(MediaError, match="no manipulated sequence of raw"):
        faceforensics(tmp_path, "raw")
    with pytest.raises(MediaError, match="original_sequences"):
        faceforensics(tmp_path / "manipulated_sequences")


def test_frame_by_frame_landmarks_tremble_about_the_steady_ones(target: Subject, models: Models) -> None:
    single = target.frame_by_frame(models)
    assert (single.clip, single.face.track) == (target.clip, target.face.track)
    assert (single.face.scores > 0).all()
    apart = np.abs(single.face.landmarks - target.face.landmarks)[..., :2]
    assert 0 < apart.mean() < 2
    trembling, steady = (np.diff(one.face.landmarks[..., :2], 2, axis=0).std() for one in (single, target))
    assert trembling > 2 * steady
