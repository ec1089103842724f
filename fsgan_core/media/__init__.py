"""Pictures and videos: reading, writing, and what files say of their making."""

from .encoding import EncodeOptions
from .files import check_input, check_output, staged, staged_folder
from .image import Image, read_image, write_image
from .marking import mark_video, read_marking, read_xmp
from .video import Video, is_video
from .writer import VideoWriter

__all__ = [
    "EncodeOptions",
    "Image",
    "Video",
    "VideoWriter",
    "check_input",
    "check_output",
    "is_video",
    "mark_video",
    "read_image",
    "read_marking",
    "read_xmp",
    "staged",
    "staged_folder",
    "write_image",
]
