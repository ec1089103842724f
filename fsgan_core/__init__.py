"""FSGAN: subject agnostic face swapping and reenactment, headless.

Conventions, used everywhere in this package:

=========== ==================================================================
frame       uint8 ``(H, W, 3)`` RGB numpy array, only in ``media`` and streams
image       float32 ``(B, 3, H, W)`` RGB tensor in [0, 1]
mask        float32 ``(B, 1, H, W)`` tensor in [0, 1]
box         ``(N, 4)`` left, top, right, bottom in pixels
landmarks   ``(N, P, 2 or 3)`` x, y (, z) in pixels of the frame or crop named;
            z grows away from the camera, in the same unit
            (pixel centres lie at half-integers: the first is at 0.5)
pose        ``(N, 3)`` yaw, pitch, roll in degrees; yaw > 0 looks to the
            image's right, pitch > 0 up, roll > 0 clockwise as seen
crop        square image around a face, 256 px unless said otherwise
source      whose face; **target**: whose picture or motion
=========== ==================================================================

Networks normalise their own input. Functions follow the device of their data.
"""
