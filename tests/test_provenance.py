from importlib.metadata import PackageNotFoundError
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsgan_core import provenance
from fsgan_core.provenance import COMPOSITE, Marking, from_xmp, to_xmp

WORDS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1)
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"


@given(WORDS, WORDS, WORDS, WORDS)
def test_what_is_written_is_read(software, version, weights, operation):
    marking = Marking(software=software, version=version, weights=weights, operation=operation)
    assert from_xmp(to_xmp(marking)) == marking


@given(st.text())
def test_any_text_gives_a_packet_that_can_be_read(text):
    assert from_xmp(to_xmp(Marking(weights=text, operation=text))) is not None


def test_the_packet_says_the_standard_source_type():
    root = ElementTree.fromstring(to_xmp(Marking()).decode())
    assert root.findtext(f".//{{{EXT}}}DigitalSourceType") == COMPOSITE
    assert to_xmp(Marking()).startswith(b"<?xpacket begin=")


@pytest.mark.parametrize(
    "description",
    [
        f'<rdf:Description e:DigitalSourceType="{COMPOSITE}" x:CreatorTool="Some Tool 3"/>',
        '<rdf:Description x:CreatorTool="Some Tool 3">'
        f'<e:DigitalSourceType rdf:resource="{COMPOSITE}"/></rdf:Description>',
        f"<rdf:Description><e:DigitalSourceType>{COMPOSITE}</e:DigitalSourceType>"
        "<x:CreatorTool>Some Tool 3</x:CreatorTool></rdf:Description>",
    ],
)
def test_packets_of_other_programs_are_read(description):
    packet = (
        f'<rdf:RDF xmlns:rdf="{RDF}" xmlns:e="{EXT}" xmlns:x="http://ns.adobe.com/xap/1.0/">{description}</rdf:RDF>'
    )
    assert from_xmp(packet.encode()) == Marking(software="Some Tool", version="3")


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"no xml",
        b"\xff\xfe<",
        b"<a/>",
        to_xmp(Marking(source_type="")),
        to_xmp(Marking()).replace(b"<x:xmpmeta", b'<!DOCTYPE x [<!ENTITY e "e">]><x:xmpmeta'),
        to_xmp(Marking()) + b" " * provenance.LARGEST_PACKET,
    ],
)
def test_other_bytes_hold_no_marking(packet):
    assert from_xmp(packet) is None


def test_the_comment_is_one_line_that_names_everything():
    marking = Marking(weights="open\nset", operation="face swap")
    for part in ("fsgan", marking.version, "open set", "face swap", COMPOSITE):
        assert part in marking.comment
    assert "\n" not in marking.comment


def test_a_source_tree_that_is_not_installed_still_has_a_version(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(provenance, "installed_version", absent)
    assert provenance._version().count(".") == 2
