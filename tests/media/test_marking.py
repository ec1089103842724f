import shutil
import struct

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from fsgan_core.errors import MediaError
from fsgan_core.media import EncodeOptions, Image, Video, VideoWriter, read_marking, read_xmp, write_image
from fsgan_core.media.encoding import FORMATS
from fsgan_core.media.image import WRITABLE
from fsgan_core.provenance import COMPOSITE, DEFAULT_MARKING, Marking, from_comment

MARKING = Marking(weights="open <&> ü", operation='face "swap"')


def written(path, frames, marking):
    if path.suffix in WRITABLE:
        write_image(path, Image(frames[0]), marking=marking)
    else:
        with VideoWriter(path, marking=marking, options=EncodeOptions(preset="ultrafast")) as writer:
            for frame in frames:
                writer.write(frame)
    return path


@pytest.fixture
def frames(media):
    return [media.pattern(index) for index in range(4)]


@pytest.mark.parametrize("suffix", [*WRITABLE, *FORMATS])
def test_every_file_says_how_it_was_made_also_after_a_copy(tmp_path, frames, suffix):
    path = written(tmp_path / f"a{suffix}", frames, MARKING)
    shutil.copy(path, tmp_path / "copy with another name")
    assert read_marking(path) == MARKING
    assert read_marking(tmp_path / "copy with another name") == MARKING


@pytest.mark.parametrize("suffix", [*WRITABLE, *FORMATS])
def test_marking_can_be_turned_off(tmp_path, frames, suffix):
    assert read_marking(written(tmp_path / f"a{suffix}", frames, None)) is None
    assert COMPOSITE.encode() not in (tmp_path / f"a{suffix}").read_bytes()


def test_marking_is_on_by_default(tmp_path, frames):
    write_image(tmp_path / "a.png", Image(frames[0]))
    with VideoWriter(tmp_path / "a.mp4") as writer:
        writer.write(frames[0])
    assert read_marking(tmp_path / "a.png") == DEFAULT_MARKING == read_marking(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", FORMATS)
def test_marking_changes_no_picture(tmp_path, frames, suffix):
    marked = Video(written(tmp_path / f"a{suffix}", frames, MARKING))
    plain = Video(written(tmp_path / f"b{suffix}", frames, None))
    assert all(np.array_equal(a, b) for a, b in zip(marked, plain, strict=True))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_players_see_a_comment(tmp_path, frames, suffix):
    with av.open(str(written(tmp_path / f"a{suffix}", frames, MARKING))) as container:
        tags = {key.lower(): value for key, value in container.metadata.items()}
    assert MARKING.comment == tags["comment"]


@pytest.mark.parametrize(
    "marking", [MARKING, DEFAULT_MARKING, Marking(weights="open, official v2"), Marking(operation="a; b")]
)
@pytest.mark.parametrize(("suffix", "other"), [(".mp4", ".mp4"), (".mov", ".mp4"), (".mp4", ".mkv"), (".mkv", ".mp4")])
def test_the_comment_of_a_remuxed_video_is_read(tmp_path, frames, marking, suffix, other):
    path, copy = written(tmp_path / f"a{suffix}", frames, marking), tmp_path / f"b{other}"
    with av.open(str(path)) as source, av.open(str(copy), "w") as output:
        output.metadata.update(
            {"COMMENT" if other == ".mkv" else "comment": source.metadata.get("comment") or source.metadata["COMMENT"]}
        )
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    assert read_xmp(copy) is None
    assert read_marking(copy) == marking


@pytest.mark.parametrize("text", ["", "holiday", "Made with love", "Made with x 1; http://example.org/", COMPOSITE])
def test_other_comments_are_no_marking(text):
    assert from_comment(text) is None


def test_the_boxes_of_an_mp4_fill_it_and_the_last_is_ours(tmp_path, frames):
    content = written(tmp_path / "a.mp4", frames, MARKING).read_bytes()
    boxes, at = [], 0
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        boxes.append((kind, at))
        at += size
    assert at == len(content)
    # The index lies before the pictures, so that players can start at once.
    assert [kind for kind, _ in boxes if kind in (b"ftyp", b"moov", b"mdat", b"uuid")] == [
        b"ftyp",
        b"moov",
        b"mdat",
        b"uuid",
    ]
    assert content[boxes[-1][1] + 8 :][:16].hex() == "be7acfcb97a942e89c71999491e3afac"


def test_a_box_with_a_long_size_is_walked_over(tmp_path, frames):
    path = written(tmp_path / "a.mp4", frames, MARKING)
    content = path.read_bytes()
    at = content.index(b"uuid") - 4
    long_box = struct.pack(">I4sQ", 1, b"free", 16 + 100) + bytes(100)
    path.write_bytes(content[:at] + long_box + content[at:])
    assert read_marking(path) == MARKING


@pytest.mark.parametrize("damage", [b"\0\0\0\x04free", b"\xff\xff\xff\xffuuid", b"\0\0\0\x01free", b"\0\0\0"])
def test_damaged_boxes_end_the_search(tmp_path, damage):
    path = tmp_path / "a.mp4"
    path.write_bytes(struct.pack(">I4s", 16, b"ftyp") + b"isom\0\0\0\0" + damage)
    assert read_marking(path) is None


def test_unmarked_and_foreign_files(tmp_path, media):
    Pillow.fromarray(media.pattern(0)).save(tmp_path / "a.bmp")
    assert read_marking(tmp_path / "a.bmp") is None
    assert read_marking(media.make_video(tmp_path / "a.avi", codec="mpeg4")) is None
    foreign = (
        f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f'xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" e:DigitalSourceType="{COMPOSITE}"/></rdf:RDF>'
    )
    Pillow.fromarray(media.pattern(0)).save(tmp_path / "b.jpg", xmp=foreign.encode())
    assert read_marking(tmp_path / "b.jpg") == Marking(software="", version="")


def test_what_cannot_be_read_is_told_in_one_line(tmp_path):
    (tmp_path / "text").write_text("just text")
    (tmp_path / "empty").touch()
    for path, words in [
        (tmp_path / "text", "neither a picture nor a video"),
        (tmp_path / "empty", "empty"),
        (tmp_path / "absent", "no file"),
        (tmp_path, "folder"),
    ]:
        with pytest.raises(MediaError, match=words) as told:
            read_marking(path)
        assert "\n" not in str(told.value)
