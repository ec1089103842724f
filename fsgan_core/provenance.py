"""What a file was made with, written into it and read back.

Every picture and video we write carries an XMP packet that names the IPTC digital source type
(https://cv.iptc.org/newscodes/digitalsourcetype/), the software, its version, the weight set and
the operation. A picture holds it in its format's own place; a video as follows:

======== =============================================================
MP4, MOV a top-level ``uuid`` box (XMP specification part 3, 1.2.7.2)
MKV/WebM a tag named ``XMP``
GIF      an ``XMP DataXMP`` application extension (part 3, 1.1.2)
======== =============================================================

A video's comment says the same in one line. Tools that copy the streams of an MP4 into a new file drop the box and keep
the comment, so that it is read where there is no packet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from xml.etree import ElementTree

SOFTWARE = "fsgan"
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
LARGEST_PACKET = 1 << 20
"""Bytes; a longer packet is not ours and is not read."""

NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "fsgan": "urn:fsgan:provenance:1",
}
_COMMENT = re.compile(
    r"Made with (\S+) (\S+)(?:; (?!weights: )(.*?))?(?:; weights: (.*?))?; (http://cv\.iptc\.org/\S+)"
)
_HEAD = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL = '\n<?xpacket end="r"?>'


def _version() -> str:
    try:
        return installed_version(SOFTWARE)
    except PackageNotFoundError:
        return "0.1.0"


VERSION = _version()
"""Version of this package: as installed, else the one this source tree was made as."""


@dataclass(frozen=True, kw_only=True)
class Marking:
    """What a file says of its making."""

    software: str = SOFTWARE
    """Program; default this package."""
    version: str = VERSION
    """Version of the program; default this one."""
    weights: str = ""
    """Weight set or sets; default none."""
    operation: str = ""
    """What was done, in words; default unsaid."""
    source_type: str = COMPOSITE
    """IPTC digital source type, an address; default composite with trained algorithmic media."""

    @property
    def comment(self) -> str:
        """One line for people, for containers that show a comment."""
        parts = [f"Made with {self.software} {self.version}", self.operation]
        parts += [f"weights: {self.weights}" if self.weights else "", self.source_type]
        return _printable("; ".join(part for part in parts if part))


DEFAULT_MARKING = Marking()


def from_comment(text: str) -> Marking | None:
    """Read a marking from what :attr:`Marking.comment` wrote; None where it is another comment."""
    found = _COMMENT.fullmatch(text.strip())
    if not found:
        return None
    software, version, operation, weights, source_type = (part or "" for part in found.groups())
    return Marking(software=software, version=version, operation=operation, weights=weights, source_type=source_type)


def to_xmp(marking: Marking) -> bytes:
    """Write a marking as an XMP packet (UTF-8)."""
    for prefix, uri in NAMESPACES.items():
        ElementTree.register_namespace(prefix, uri)
    root = ElementTree.Element(_name("x", "xmpmeta"))
    rdf = ElementTree.SubElement(root, _name("rdf", "RDF"))
    description = ElementTree.SubElement(rdf, _name("rdf", "Description"), {_name("rdf", "about"): ""})
    for (prefix, tag), text in _properties(marking).items():
        ElementTree.SubElement(description, _name(prefix, tag)).text = _printable(text)
    return (_HEAD + ElementTree.tostring(root, encoding="unicode") + _TAIL).encode()


def from_xmp(packet: bytes) -> Marking | None:
    """Read a marking from an XMP packet; None where it holds no digital source type or is no packet.

    Entities and document types are refused, and nothing but the packet is read.
    """
    if len(packet) > LARGEST_PACKET or b"<!" in packet:
        return None
    try:
        root = ElementTree.fromstring(packet.decode().strip("\ufeff\0 \r\n\t"))
    except (UnicodeDecodeError, ElementTree.ParseError):
        return None
    found = dict(_texts(root))
    source_type = found.get(_name("Iptc4xmpExt", "DigitalSourceType"))
    if not source_type:
        return None
    tool, _, version = found.get(_name("xmp", "CreatorTool"), "").rpartition(" ")
    return Marking(
        software=found.get(_name("Iptc4xmpExt", "AISystemUsed"), tool or version),
        version=found.get(_name("Iptc4xmpExt", "AISystemVersionUsed"), version if tool else ""),
        weights=found.get(_name("fsgan", "weights"), ""),
        operation=found.get(_name("fsgan", "operation"), ""),
        source_type=source_type,
    )


def _properties(marking: Marking) -> dict[tuple[str, str], str]:
    return {
        ("xmp", "CreatorTool"): f"{marking.software} {marking.version}",
        ("Iptc4xmpExt", "DigitalSourceType"): marking.source_type,
        ("Iptc4xmpExt", "AISystemUsed"): marking.software,
        ("Iptc4xmpExt", "AISystemVersionUsed"): marking.version,
        ("fsgan", "weights"): marking.weights,
        ("fsgan", "operation"): marking.operation,
    }


def _texts(root: ElementTree.Element) -> list[tuple[str, str]]:
    """Simple properties, which XMP allows as elements, attributes or rdf:resource."""
    texts = []
    for element in root.iter():
        texts += [(key, value) for key, value in element.attrib.items() if key != _name("rdf", "resource")]
        text = element.get(_name("rdf", "resource")) or (element.text or "")
        texts.append((element.tag, text))
    return texts


def _name(prefix: str, tag: str) -> str:
    return f"{{{NAMESPACES[prefix]}}}{tag}"


def _printable(text: str) -> str:
    """XML 1.0 has no place for control characters, lone surrogates and the like."""
    return "".join(character if character.isprintable() else " " for character in text).strip()
