"""Picture files opened and decoded: depth, palette, alpha, colour profile, camera notes."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, UnidentifiedImageError

from ..errors import MediaError
from ..streams import Frame
from .files import check_input

LARGEST_PICTURE = 150_000_000
"""Pixels; a larger picture is refused (its RGB frame alone takes 450 MB)."""

READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000", "PPM")
"""Formats that are tried: those that know themselves by their first bytes and run no other program."""

_PHONE_FORMATS = dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"), "HEIC")
_PHONE_FORMATS |= dict.fromkeys((b"avif", b"avis"), "AVIF")
"""What phones write, by the brand in the first bytes. AVIF is read where Pillow can."""

DAMAGE = (OSError, SyntaxError, ValueError, LookupError, TypeError, OverflowError, struct.error, zlib.error)
"""What Pillow raises for files that are not as they should be."""

_DESCRIPTIVE_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 33432)
"""Description, make, model, resolution, software, date, artist, copyright: what outlives an edit."""
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_STALE_TAGS = (0x927C, 0xA002, 0xA003, 0xA005)
"""Maker note and interoperability hold offsets into the old file; the dimensions may be turned."""


class NoPictureError(MediaError):
    """The content is of no picture format we know."""


@contextmanager
def opened_picture(path: Path) -> Iterator[Pillow.Image]:
    """Open a picture file, not decoded yet; trouble with it inside the block is told as MediaError.

    Raises:
        MediaError: see :func:`fsgan_core.media.image.read_image`.
    """
    check_input(path)
    Pillow.init()
    known = [name for name in READABLE if name in Pillow.OPEN]
    # Pillow warns of large pictures and odd notes, which we judge ourselves.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Pillow.open(path, formats=known) as picture:
                if picture.width * picture.height > LARGEST_PICTURE:
                    raise Pillow.DecompressionBombError
                yield picture
        except Pillow.DecompressionBombError as error:
            limit = LARGEST_PICTURE // 1_000_000
            raise MediaError(f"{path} has more than {limit} million pixels; make it smaller") from error
        except UnidentifiedImageError as error:
            _refuse_phone_formats(path)
            raise NoPictureError(f"{path} is not a picture in a known format; convert it to PNG or JPEG") from error
        except DAMAGE as error:
            raise MediaError(f"{path} is damaged ({error}); get or save it again") from error


def _refuse_phone_formats(path: Path) -> None:
    """Name a picture in a video's clothes, of which a video reader would show a tile at most.

    Raises:
        MediaError: it is one.
    """
    with path.open("rb") as file:
        head = file.read(12)
    name = _PHONE_FORMATS.get(head[8:]) if head[4:8] == b"ftyp" else None
    if name:
        raise MediaError(f"{path} is a {name} picture, which cannot be read here; save it as JPEG or PNG")


def is_picture(path: Path) -> bool:
    """Say by content whether a file is a picture that does not move (only a GIF is taken to move)."""
    try:
        with opened_picture(path) as picture:
            return not (picture.format == "GIF" and getattr(picture, "is_animated", False))
    except NoPictureError:
        return False


def decode_picture(picture: Pillow.Image) -> tuple[Frame, NDArray[np.uint8] | None, bytes | None]:
    """Decode to upright RGB.

    Returns:
        frame, alpha (None: opaque) and colour profile (None: sRGB).
    """
    icc = picture.info.get("icc_profile") or None
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        return _eight_bit(picture), None, None
    alpha = None
    if picture.has_transparency_data:
        picture = picture.convert("LA" if picture.mode in ("L", "LA") else "RGBA")
        alpha = np.array(picture.getchannel("A"))
        picture = picture.convert(picture.mode[:-1])
    if picture.mode == "P":
        picture = picture.convert("RGB")
    if icc is not None and icc[16:20] != b"RGB ":
        picture, icc = _to_srgb(picture, icc), None
    elif picture.mode != "RGB":
        icc = None
    return np.array(picture.convert("RGB")), alpha, icc


def kept_exif(picture: Pillow.Image) -> bytes | None:
    """What the camera said, without orientation, thumbnail and what an edit makes untrue."""
    try:
        found = picture.getexif()
        kept = Pillow.Exif()
        for tag in _DESCRIPTIVE_TAGS:
            if tag in found:
                kept[tag] = found[tag]
        for ifd in (_EXIF_IFD, _GPS_IFD):
            if values := {tag: value for tag, value in found.get_ifd(ifd).items() if tag not in _STALE_TAGS}:
                kept[ifd] = values
        return kept.tobytes() if len(kept) else None
    except DAMAGE:
        # A picture with broken notes is still a picture.
        return None


def _eight_bit(picture: Pillow.Image) -> Frame:
    """Grey of sixteen bits (modes I, I;16...) or float in [0, 1] (F)."""
    values = np.asarray(picture, np.float32)
    scaled = values * 255 if picture.mode == "F" else values / 257
    grey = np.nan_to_num(scaled).clip(0, 255).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _to_srgb(picture: Pillow.Image, icc: bytes) -> Pillow.Image:
    try:
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, ImageCms.ImageCmsProfile(BytesIO(icc)), srgb, outputMode="RGB")
    except ImageCms.PyCMSError:
        # The profile is damaged or of another colour space than the picture.
        return picture.convert("RGB")
    return converted or picture.convert("RGB")
