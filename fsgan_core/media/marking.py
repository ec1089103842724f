"""Markings in files: where each container keeps its XMP packet."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import av
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from ..errors import MediaError
from ..provenance import LARGEST_PACKET, Marking, from_xmp

XMP_UUID = bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC")
TIFF_XMP = 700
"""Number of the TIFF tag."""
MATROSKA_TAG = "XMP"
_GIF_BLOCK = b"\x21\xff\x0bXMP DataXMP"
_GIF_TRAILER = bytes([1, *range(255, -1, -1), 0])
_GIF_END = b"\x3b"


def append_packet(path: Path, packet: bytes) -> None:
    """Add an XMP packet to a finished MP4, MOV or GIF file; other files stay as they are."""
    with path.open("r+b") as file:
        head = file.read(12)
        file.seek(0, 2)
        if head[4:8] == b"ftyp":
            file.write(struct.pack(">I4s16s", 24 + len(packet), b"uuid", XMP_UUID) + packet)
        elif head[:3] == b"GIF":
            file.seek(-1, 2)
            if file.read(1) == _GIF_END:
                file.seek(-1, 2)
                file.write(_GIF_BLOCK + packet + _GIF_TRAILER + _GIF_END)


def read_marking(path: Path) -> Marking | None:
    """Read what a picture or video says of its making.

    Args:
        path: any picture or video, by whomever written.

    Returns:
        the marking, or None where the file has none.

    Raises:
        MediaError: the file is missing, unreadable or neither picture nor video.
    """
    try:
        with path.open("rb") as file:
            packet = _container_packet(file)
        if packet is None:
            packet = _matroska_packet(path) if _is_matroska(path) else _picture_packet(path)
    except (UnidentifiedImageError, av.error.FFmpegError, SyntaxError) as error:
        raise MediaError(f"{path} is neither a picture nor a video that can be read") from error
    except OSError as error:
        raise MediaError(f"cannot read {path} ({error.strerror or error})") from error
    return from_xmp(packet)


def _is_matroska(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x1a\x45\xdf\xa3"


def _container_packet(file: BinaryIO) -> bytes | None:
    """Packet of an MP4, MOV or GIF, empty where it has none; None for other files."""
    head = file.read(12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return _box_packet(file)
    if head[:3] == b"GIF":
        return _gif_packet(file)
    return None


def _box_packet(file: BinaryIO) -> bytes:
    """Walk the top-level boxes: 32-bit size (1: a 64-bit one follows, 0: to the end), type, body."""
    end = file.seek(0, 2)
    start = 0
    while start + 8 <= end:
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        elif kind == b"uuid" and size <= LARGEST_PACKET and file.read(16) == XMP_UUID:
            return file.read(size - 24)
        if size < 8:
            break
        start += size
    return b""


def _gif_packet(file: BinaryIO) -> bytes:
    """We write the block last; its packet ends where the block's fixed trailer begins."""
    end = file.seek(0, 2)
    file.seek(max(0, end - LARGEST_PACKET))
    _, found, rest = file.read().rpartition(_GIF_BLOCK)
    return rest.partition(_GIF_TRAILER)[0] if found else b""


def _matroska_packet(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return container.metadata.get(MATROSKA_TAG, "").encode()


def _picture_packet(path: Path) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Pillow.open(path) as picture:
            info = picture.info
            packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or b""
            if not packet and picture.format == "TIFF":
                packet = picture.tag_v2.get(TIFF_XMP, b"")  # type: ignore[attr-defined]
    return packet.encode() if isinstance(packet, str) else bytes(packet)
