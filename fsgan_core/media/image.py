"""Pictures: read upright as RGB and alpha, written with what came along."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ..errors import MediaError
from ..provenance import DEFAULT_MARKING, Marking, to_xmp
from ..streams import Frame, checked_frame
from .files import check_input, staged
from .marking import TIFF_XMP

LARGEST_PICTURE = 150_000_000
"""Pixels; a larger picture is refused (its RGB frame alone takes 450 MB)."""

READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO")
"""Formats Pillow may try: no vector formats, which run other programs."""

WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
"""Format by suffix."""

_DAMAGE = (OSError, SyntaxError, ValueError, LookupError, TypeError, OverflowError, struct.error, zlib.error)
_DESCRIPTIVE_TAGS = (270, 271, 272, 282, 283, 296, 305, 306, 315, 33432)
"""Description, make, model, resolution, software, date, artist, copyright: what outlives an edit."""
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_STALE_TAGS = (0x927C, 0xA002, 0xA003, 0xA005)
"""Maker note and interoperability hold offsets into the old file; the dimensions may be turned."""


@dataclass(frozen=True, eq=False)
class Image:
    """A picture.

    Attributes:
        frame: uint8 ``(H, W, 3)`` RGB, upright.
        alpha: uint8 ``(H, W)`` opacity, or None where the picture is opaque.
        icc: colour profile of ``frame``, None means sRGB.
        exif: what the camera said, without orientation and thumbnail.
    """

    frame: Frame
    alpha: NDArray[np.uint8] | None = None
    icc: bytes | None = None
    exif: bytes | None = None

    def __post_init__(self) -> None:
        checked_frame(self.frame)
        if self.alpha is not None and (self.alpha.dtype != np.uint8 or self.alpha.shape != self.frame.shape[:2]):
            raise ValueError(f"alpha is uint8 {self.frame.shape[:2]}, found {self.alpha.dtype} {self.alpha.shape}")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.frame.shape[1], self.frame.shape[0]


def picture_format(path: Path) -> str | None:
    """Name the picture format of a file by its content; None if it is none; ``"GIF"`` only where it does not move."""
    Pillow.init()
    with _quiet():
        try:
            with Pillow.open(path, formats=[name for name in READABLE if name in Pillow.OPEN]) as picture:
                moving = picture.format == "GIF" and getattr(picture, "is_animated", False)
                return None if moving else picture.format
        except Pillow.DecompressionBombError:
            return "too large"
        except UnidentifiedImageError:
            return None
        except _DAMAGE:
            return None


def read_image(path: Path) -> Image:
    """Read a picture; of an animation the first frame.

    The EXIF orientation is applied. Sixteen-bit samples are scaled to eight. CMYK and grey pictures
    become sRGB through their own profile; an RGB profile is kept and its pixels are not touched.

    Args:
        path: PNG, JPEG, WebP, TIFF, GIF, BMP, AVIF, JPEG 2000, PPM, TGA or ICO, whatever its suffix.

    Raises:
        MediaError: missing, a folder, empty, damaged, no picture, or above ``LARGEST_PICTURE``.
    """
    check_input(path)
    Pillow.init()
    with _quiet():
        try:
            with Pillow.open(path, formats=[name for name in READABLE if name in Pillow.OPEN]) as picture:
                if picture.width * picture.height > LARGEST_PICTURE:
                    raise Pillow.DecompressionBombError
                return _decoded(picture)
        except Pillow.DecompressionBombError as error:
            limit = LARGEST_PICTURE // 1_000_000
            raise MediaError(f"{path} has more than {limit} million pixels; make it smaller") from error
        except UnidentifiedImageError as error:
            raise MediaError(f"{path} is not a picture in a known format; convert it to PNG or JPEG") from error
        except _DAMAGE as error:
            raise MediaError(f"{path} is damaged ({error}); get or save it again") from error


def write_image(
    path: Path,
    image: Image,
    *,
    quality: int = 95,
    overwrite: bool = False,
    marking: Marking | None = DEFAULT_MARKING,
) -> None:
    """Write a picture; its format follows from the suffix.

    JPEG knows no alpha: the picture is laid over white.

    Args:
        path: ``.png``, ``.tif``, ``.tiff`` (lossless), ``.jpg``, ``.jpeg`` or ``.webp``.
        image: what to write.
        quality: 1 (small) to 100 (best) for JPEG and WebP.
        overwrite: whether an existing file may be replaced.
        marking: what to say of its making; None says nothing.

    Raises:
        MediaError: unknown suffix, or see :func:`fsgan_core.media.files.check_output`.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is 1 to 100, found {quality}")
    form = WRITABLE.get(path.suffix.lower())
    if form is None:
        raise MediaError(f"cannot write a picture as '{path.suffix}'; use one of {', '.join(WRITABLE)}")
    with staged(path, overwrite=overwrite) as temporary:
        try:
            _encoded(image, form).save(temporary, form, **_save_options(image, form, quality, marking))
        except _DAMAGE as error:
            raise MediaError(f"cannot write {path} ({error})") from error


def _decoded(picture: Pillow.Image) -> Image:
    exif = _kept_exif(picture)
    icc = picture.info.get("icc_profile") or None
    picture.load()
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):
        return Image(_eight_bit(picture), None, None, exif)
    alpha = None
    if picture.has_transparency_data:
        picture = picture.convert("LA" if picture.mode in ("L", "LA") else "RGBA")
        alpha = np.array(picture.getchannel("A"))
        picture = picture.convert(picture.mode[:-1])
    if picture.mode == "P":
        picture = picture.convert("RGB")
    if icc is not None and icc[16:20] != b"RGB ":
        picture, icc = _to_srgb(picture, icc), None
    elif picture.mode not in ("RGB", "RGBX"):
        icc = None
    return Image(np.array(picture.convert("RGB")), alpha, icc, exif)


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


def _kept_exif(picture: Pillow.Image) -> bytes | None:
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
    except _DAMAGE:
        # A picture with broken notes is still a picture.
        return None


def _encoded(image: Image, form: str) -> Pillow.Image:
    picture = Pillow.fromarray(image.frame)
    if image.alpha is None:
        return picture
    opacity = Pillow.fromarray(image.alpha)
    if form == "JPEG":
        return Pillow.composite(picture, Pillow.new("RGB", picture.size, "white"), opacity)
    picture.putalpha(opacity)
    return picture


def _save_options(image: Image, form: str, quality: int, marking: Marking | None) -> dict[str, Any]:
    options: dict[str, Any] = {"icc_profile": image.icc} if image.icc else {}
    exif = Pillow.Exif()
    if image.exif:
        exif.load(image.exif)
    if form == "TIFF":
        if marking:
            exif[TIFF_XMP] = to_xmp(marking)
    elif form == "PNG":
        options["pnginfo"] = PngInfo()
        if marking:
            options["pnginfo"].add_itxt("XML:com.adobe.xmp", to_xmp(marking).decode())
    else:
        options |= {"quality": quality} | ({"xmp": to_xmp(marking)} if marking else {})
        options |= {"subsampling": 0 if quality >= 90 else 2} if form == "JPEG" else {"exact": True}
    return options | ({"exif": exif} if len(exif) else {})


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow warns of large pictures and odd metadata, which we judge ourselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
