"""The stages of the paper, in its order; each file holds a protocol, its functions and a dict of backends."""
