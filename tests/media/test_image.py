import os
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageCms

from fsgan_core.cli.clips import opened
from fsgan_core.errors import MediaError
from fsgan_core.media import Image, is_video, read_image, write_image
from fsgan_core.media.image import WRITABLE
from fsgan_core.media.picture import LARGEST_PICTURE, is_picture

ALPHA_SUFFIXES = (".png", ".webp", ".tif")


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def smooth(height=24, width=36):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 5, y * 8, x + y], -1).astype(np.uint8)


def profile(name="sRGB"):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()


def camera_notes(orientation=None):
    notes = Pillow.Exif()
    notes[271] = "Maker"
    notes[0x8769] = {0x829A: 0.01, 0xA002: 36}
    notes[0x8825] = {1: "N"}
    if orientation:
        notes[274] = orientation
    return notes


@pytest.mark.parametrize("suffix", WRITABLE)
def test_a_picture_comes_back_with_profile_notes_and_alpha(tmp_path, suffix):
    alpha = noise(24, 36) if suffix in ALPHA_SUFFIXES else None
    image = Image(smooth(), alpha, profile(), camera_notes().tobytes())
    write_image(tmp_path / f"ä b{suffix}", image)
    found = read_image(tmp_path / f"ä b{suffix}")
    worst = 0 if suffix in (".png", ".tif", ".tiff") else 14
    assert np.abs(found.frame.astype(int) - image.frame).max() <= worst
    assert found.alpha is None if alpha is None else np.array_equal(found.alpha, alpha)
    assert found.icc == image.icc
    notes = Pillow.Exif()
    notes.load(found.exif)
    assert notes[271] == "Maker"
    assert notes.get_ifd(0x8825) == {1: "N"}
    assert float(notes.get_ifd(0x8769)[0x829A]) == pytest.approx(0.01)


def test_transparent_pixels_keep_their_colour(tmp_path):
    image = Image(noise(8, 8, 3), np.zeros((8, 8), np.uint8))
    write_image(tmp_path / "a.png", image)
    assert np.array_equal(read_image(tmp_path / "a.png").frame, image.frame)


def test_jpeg_lays_the_picture_over_white(tmp_path):
    alpha = np.repeat([[0] * 16 + [255] * 16], 32, 0).astype(np.uint8)
    write_image(tmp_path / "a.jpg", Image(np.full((32, 32, 3), 40, np.uint8), alpha))
    found = read_image(tmp_path / "a.jpg")
    assert found.alpha is None
    assert found.frame[:, :12].min() >= 250
    assert found.frame[:, 20:].max() <= 46


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_every_exif_orientation_is_made_upright(tmp_path, orientation, form):
    upright = smooth()
    # How a camera held that way stores what is upright in the world.
    store = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    stored = Pillow.fromarray(np.ascontiguousarray(store(upright)))
    stored.save(tmp_path / "a", form, exif=camera_notes(orientation).tobytes())
    found = read_image(tmp_path / "a")
    assert np.array_equal(found.frame, upright)
    notes = Pillow.Exif()
    notes.load(found.exif)
    assert 274 not in notes
    assert 0xA002 not in notes.get_ifd(0x8769)
    write_image(tmp_path / "again.png", found)
    assert np.array_equal(read_image(tmp_path / "again.png").frame, upright)


def test_the_thumbnail_of_the_old_picture_is_not_kept(tmp_path):
    thumbnail = BytesIO()
    Pillow.new("RGB", (8, 8)).save(thumbnail, "JPEG")
    notes = camera_notes()
    notes._ifds[1] = {0x0201: thumbnail.getvalue()}
    Pillow.fromarray(smooth()).save(tmp_path / "a.jpg", exif=notes)
    write_image(tmp_path / "b.jpg", read_image(tmp_path / "a.jpg"))
    with Pillow.open(tmp_path / "b.jpg") as picture:
        assert picture.getexif().get_ifd(1) == {}


def test_grey_palette_and_one_bit_pictures(tmp_path):
    grey = noise(9, 7)
    Pillow.fromarray(grey).save(tmp_path / "l.png")
    found = read_image(tmp_path / "l.png")
    assert np.array_equal(found.frame, np.repeat(grey[..., None], 3, 2))
    assert found.alpha is None
    Pillow.fromarray(grey > 127).save(tmp_path / "1.png")
    assert set(np.unique(read_image(tmp_path / "1.png").frame)) == {0, 255}
    colours = Pillow.fromarray(smooth()).quantize(32)
    colours.save(tmp_path / "p.png")
    assert np.array_equal(read_image(tmp_path / "p.png").frame, np.array(colours.convert("RGB")))


def test_alpha_of_grey_and_of_a_palette_is_kept(tmp_path):
    grey = noise(9, 7, 2)
    Pillow.fromarray(grey, "LA").save(tmp_path / "la.png")
    found = read_image(tmp_path / "la.png")
    assert np.array_equal(found.alpha, grey[..., 1])
    assert np.array_equal(found.frame[..., 2], grey[..., 0])
    indexed = Pillow.fromarray(np.arange(8, dtype=np.uint8).reshape(2, 4), "P")
    indexed.putpalette(bytes(range(24)))
    indexed.save(tmp_path / "p.png", transparency=3)
    found = read_image(tmp_path / "p.png")
    assert np.array_equal(found.alpha == 0, np.arange(8).reshape(2, 4) == 3)
    assert found.frame[0, 1].tolist() == [3, 4, 5]


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled(tmp_path, form):
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Pillow.fromarray(values).save(tmp_path / "a", form)
    found = read_image(tmp_path / "a").frame
    assert np.abs(found[..., 0] - values / 257).max() <= 0.5
    assert found.min() == 0
    assert found.max() == 255


def sixteen_bit_png(values):
    """Written by hand: Pillow writes no RGB of sixteen bits."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bit_colour_is_scaled(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (5, 6, 3))
    (tmp_path / "a.png").write_bytes(sixteen_bit_png(values))
    assert np.abs(read_image(tmp_path / "a.png").frame - values / 257).max() <= 1


def test_float_pictures_are_zero_to_one_and_nan_is_black(tmp_path):
    values = np.array([[0, 0.5, 1], [2, -1, np.nan]], np.float32)
    Pillow.fromarray(values).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif").frame[..., 0].tolist() == [[0, 128, 255], [255, 0, 0]]


def test_cmyk_becomes_rgb_and_its_profile_is_not_kept(tmp_path):
    cmyk = Pillow.fromarray(smooth()).convert("CMYK")
    for name, options in {"plain": {}, "wrong profile": {"icc_profile": profile()}}.items():
        cmyk.save(tmp_path / f"{name}.jpg", quality=100, **options)
        found = read_image(tmp_path / f"{name}.jpg")
        assert found.icc is None
        assert np.abs(found.frame.astype(int) - smooth()).mean() < 4


def test_a_lab_profile_leads_to_srgb(tmp_path):
    # The one profile of another colour space that can be made on the spot.
    lab = profile("LAB")
    Pillow.fromarray(smooth()).save(tmp_path / "a.png", icc_profile=lab)
    found = read_image(tmp_path / "a.png")
    assert found.icc is None
    assert np.array_equal(found.frame, smooth())


def test_of_an_animation_the_first_frame_is_read(tmp_path):
    frames = [Pillow.new("RGB", (5, 5), colour) for colour in ("red", "blue")]
    for form in ("GIF", "PNG", "WEBP"):
        options = {"lossless": True} if form == "WEBP" else {}
        frames[0].save(tmp_path / form, form, save_all=True, append_images=frames[1:], **options)
        assert read_image(tmp_path / form).frame[2, 2].tolist() == [255, 0, 0]


def test_one_pixel(tmp_path):
    for suffix in WRITABLE:
        write_image(tmp_path / f"a{suffix}", Image(np.full((1, 1, 3), 90, np.uint8)))
        assert read_image(tmp_path / f"a{suffix}").size == (1, 1)


def bare_png(width, height):
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(head)) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


@pytest.mark.parametrize("size", [(20_000, 20_000), (LARGEST_PICTURE // 10_000 + 1, 10_000)])
def test_huge_pictures_are_refused_before_they_are_decoded(tmp_path, size):
    (tmp_path / "a.png").write_bytes(bare_png(*size))
    for door in (read_image, is_picture):
        with pytest.raises(MediaError, match="more than 150 million pixels; make it smaller$"):
            door(tmp_path / "a.png")


def test_damaged_truncated_and_foreign_files_are_told_in_one_line(tmp_path):
    whole = BytesIO()
    Pillow.fromarray(noise(64, 64, 3)).save(whole, "JPEG")
    cases = {
        "truncated.jpg": (whole.getvalue()[:900], "damaged"),
        "no pixels.png": (bare_png(9, 9), "damaged"),
        "renamed.png": (b"just text, no picture", "not a picture"),
        "vector.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        "empty.png": (b"", "empty"),
        "phone.heic": (
            b"\0\0\0\x18ftypheic" + bytes(400),
            "is a HEIC picture, which cannot be read here; save it as JPEG",
        ),
        "phone.jpg": (b"\0\0\0\x18ftypmif1" + bytes(400), "is a HEIC picture"),
    }
    for name, (content, words) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=words) as told:
            read_image(tmp_path / name)
        assert "\n" not in str(told.value)
        assert name in str(told.value)


@pytest.mark.parametrize("suffix", [".webp", ".png", ".tif"])
def test_of_several_pictures_the_first_is_read_and_that_is_said(tmp_path, suffix):
    path = tmp_path / f"several{suffix}"
    first, *others = [Pillow.fromarray(np.roll(smooth(), 3 * n, 1)) for n in range(3)]
    first.save(path, save_all=True, append_images=others, lossless=True)
    found = read_image(path)
    assert found.count == 3 and np.array_equal(found.frame, smooth())
    (note,) = opened(path).notes
    assert "holds 3 pictures, of which the first is used" in note


def test_the_map_beside_a_phones_picture_is_not_counted(tmp_path):
    Pillow.fromarray(smooth()).save(
        tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[Pillow.new("L", (9, 9))]
    )
    assert read_image(tmp_path / "phone.jpg").count == 1


def test_a_phone_picture_is_no_video_and_text_is_neither(tmp_path):
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(400))
    (tmp_path / "text.jpg").write_bytes(b"just text, no picture")
    for name, words in (
        ("phone.heic", "is a HEIC picture"),
        ("text.jpg", "holds no picture, though it is named as one"),
    ):
        with pytest.raises(MediaError, match=words):
            is_video(tmp_path / name)


def test_the_content_decides_not_the_suffix(tmp_path):
    Pillow.fromarray(smooth()).save(tmp_path / "really.mp4", "PNG")
    assert np.array_equal(read_image(tmp_path / "really.mp4").frame, smooth())


def test_broken_camera_notes_do_not_stop_the_picture(tmp_path):
    Pillow.fromarray(smooth()).save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\x00garbage")
    assert read_image(tmp_path / "a.jpg").size == (36, 24)


def test_writing_refuses_existing_files_unknown_suffixes_and_sizes_and_leaves_nothing(tmp_path):
    image = Image(smooth())
    with pytest.raises(MediaError, match=r"'\.xyz'; use one of \.png"):
        write_image(tmp_path / "a.xyz", image)
    with pytest.raises(MediaError, match="cannot write"):
        write_image(tmp_path / "wide.webp", Image(np.zeros((1, 20_000, 3), np.uint8)))
    assert os.listdir(tmp_path) == []
    write_image(tmp_path / "a.png", image)
    with pytest.raises(MediaError, match="exists"):
        write_image(tmp_path / "a.png", image)
    write_image(tmp_path / "a.png", Image(noise(2, 2, 3)), overwrite=True)
    assert read_image(tmp_path / "a.png").size == (2, 2)


def test_a_callers_mistakes_are_value_errors(tmp_path):
    with pytest.raises(ValueError, match="uint8"):
        Image(np.full((2, 2, 3), np.nan))
    with pytest.raises(ValueError, match="alpha"):
        Image(smooth(), np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match="quality"):
        write_image(tmp_path / "a.png", Image(smooth()), quality=0)
