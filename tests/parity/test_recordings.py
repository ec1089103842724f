"""No recording lies there untested."""

from pathlib import Path


def test_every_recording_is_read_by_a_test(parity_folder):
    names = sorted(path.stem for path in parity_folder.glob("*.safetensors"))
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert names and not [name for name in names if f'"{name}' not in tests]
