"""Pictures: read upright as RGB and alpha, written with what came along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from ..errors import MediaError
from ..provenance import DEFAULT_MARKING, Marking, to_xmp
from ..streams import Frame, checked_frame
from .files import staged
from .marking import TIFF_XMP
from .picture import DAMAGE, decode_picture, kept_exif, opened_picture

WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".tif": "TIFF", ".tiff": "TIFF"}
"""Format by suffix."""


@dataclass(frozen=True, eq=False)
class Image:
    """A picture.

    Attributes:
        frame: uint8 ``(H, W, 3)`` RGB, upright.
        alpha: uint8 ``(H, W)`` opacity, or None where the picture is opaque.
        icc: colour profile of ``frame``, None means sRGB.
        exif: what the camera said, without orientation and thumbnail.
        count: how many pictures its file holds; this is the first.
    """

    frame: Frame
    alpha: NDArray[np.uint8] | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    count: int = 1

    def __post_init__(self) -> None:
        checked_frame(self.frame)
        if self.alpha is not None and (self.alpha.dtype != np.uint8 or self.alpha.shape != self.frame.shape[:2]):
            raise ValueError(f"alpha is uint8 {self.frame.shape[:2]}, found {self.alpha.dtype} {self.alpha.shape}")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.frame.shape[1], self.frame.shape[0]


def read_image(path: Path | str) -> Image:
    """Read a picture; of an animation the first frame.

    The EXIF orientation is applied. Sixteen-bit samples are scaled to eight. CMYK and grey pictures
    become sRGB through their own profile; an RGB profile is kept and its pixels are not touched.

    Args:
        path: PNG, JPEG, WebP, TIFF, GIF, BMP, AVIF, JPEG 2000 or PPM, whatever its suffix.

    Raises:
        MediaError: missing, a folder, empty, damaged, no picture, or above ``LARGEST_PICTURE``.
    """
    with opened_picture(Path(path)) as picture:
        # Notes first: to turn a picture is to drop them.
        exif = kept_exif(picture)
        # A phone's JPEG often brings a small depth or brightness map along (MPO), which is no other picture.
        count = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
        return Image(*decode_picture(picture), exif, count)


def write_image(
    path: Path | str,
    image: Image,
    *,
    quality: int = 95,
    overwrite: bool = False,
    marking: Marking | None = DEFAULT_MARKING,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Write a picture; its format follows from the suffix.

    JPEG knows no alpha: the picture is laid over white.

    Args:
        path: ``.png``, ``.tif``, ``.tiff`` (lossless), ``.jpg``, ``.jpeg`` or ``.webp``.
        image: what to write.
        quality: 1 (small) to 100 (best) for JPEG and WebP.
        overwrite: whether an existing file may be replaced.
        marking: what to say of its making; None says nothing.
        texts: further texts by keyword, which PNG alone has a place for.

    Raises:
        MediaError: unknown suffix, or see :func:`fsgan_core.media.files.check_output`.
    """
    path = Path(path)
    if not 1 <= quality <= 100:
        raise ValueError(f"quality is 1 to 100, found {quality}")
    form = WRITABLE.get(path.suffix.lower())
    if form is None:
        raise MediaError(f"cannot write a picture as '{path.suffix}'; use one of {', '.join(WRITABLE)}")
    with staged(path, overwrite=overwrite) as temporary:
        try:
            options = _save_options(image, form, quality, marking)
            if form == "PNG":
                for keyword, text in (texts or {}).items():
                    options["pnginfo"].add_text(keyword, text)
            _encoded(image, form).save(temporary, form, **options)
        except DAMAGE as error:
            raise MediaError(f"cannot write {path} ({error})") from error


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
