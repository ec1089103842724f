"""FSGAN for ComfyUI: face reenactment and swapping nodes over the headless package ``fsgan_core``."""
