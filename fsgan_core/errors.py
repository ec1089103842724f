"""What can go wrong in the world.

::

    FSGANError
    ├── NoFaceError    no usable face where one is needed
    ├── MediaError     a picture or video cannot be read or written
    └── WeightsError   weights are missing, damaged or of another network

A mistake of the caller (wrong shape, option out of range) is a ``ValueError``.
Every message says what was found, what was expected and what to do.
"""


class FSGANError(Exception):
    """Base of every error this package raises on purpose."""


class NoFaceError(FSGANError):
    """No usable face where one is needed."""


class MediaError(FSGANError):
    """A picture or video cannot be read or written."""


class WeightsError(FSGANError):
    """Weights are missing, damaged or belong to another network."""
