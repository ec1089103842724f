"""Markings in files: where each container keeps its XMP packet."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import av
from PIL.TiffImagePlugin import TiffImageFile

from ..errors import MediaError
from ..provenance import LARGEST_PACKET, Marking, from_comment, from_xmp, to_xmp
from .files import check_input
from .picture import NoPictureError, opened_picture

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


def mark_video(path: Path, marking: Marking) -> None:
    """Say in a finished MP4 or MOV file how it was made; nothing is encoded anew.

    Raises:
        MediaError: it is of another format.
    """
    with path.open("rb") as file:
        if file.read(12)[4:8] != b"ftyp":
            raise MediaError(f"{path} is no MP4 or MOV file, which alone can be marked when finished; save it as one")
    append_packet(path, to_xmp(marking))


def read_marking(path: Path | str) -> Marking | None:
    """Read what a picture or video says of its making: its XMP packet, or the comment that survives a remux.

    Args:
        path: any picture or video, by whomever written.

    Returns:
        the marking, or None where the file has none.

    Raises:
        MediaError: the file is missing, unreadable or neither picture nor video.
    """
    return read_xmp(path) or from_comment(_comment(Path(path)))


def read_xmp(path: Path | str) -> Marking | None:
    """Read the marking in a file's XMP packet alone; None where it has none.

    Raises:
        MediaError: the file is missing, unreadable or neither picture nor video.
    """
    path = Path(path)
    check_input(path)
    try:
        with path.open("rb") as file:
            packet = _container_packet(file)
    except OSError as error:
        raise MediaError(f"cannot read {path} ({error.strerror or error})") from error
    for packet_of in (_picture_packet, _tag_packet):
        packet = packet_of(path) if packet is None else packet
    if packet is None:
        raise MediaError(f"{path} is neither a picture nor a video that can be read; name one")
    return from_xmp(packet)


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


def _picture_packet(path: Path) -> bytes | None:
    """Packet of a picture, empty where it has none; None for other files."""
    try:
        with opened_picture(path) as picture:
            packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or b""
            if not packet and isinstance(picture, TiffImageFile):
                packet = picture.tag_v2.get(TIFF_XMP, b"")
    except NoPictureError:
        return None
    return packet.encode() if isinstance(packet, str) else bytes(packet)


def _tag_packet(path: Path) -> bytes | None:
    """Packet among a video's tags, empty where it has none; None for other files."""
    tags = _tags(path)
    return None if tags is None else tags.get(MATROSKA_TAG, "").encode()


def _comment(path: Path) -> str:
    """A video's comment, empty where it has none."""
    return next((text for name, text in (_tags(path) or {}).items() if name.lower() == "comment"), "")


def _tags(path: Path) -> dict[str, str] | None:
    """What a video says in words, by name; None for other files."""
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            return dict(container.metadata)
    except (av.error.FFmpegError, ValueError):
        return None
