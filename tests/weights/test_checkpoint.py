"""Reading converted files."""

import pytest
from safetensors.torch import save_file

from fsgan_core.errors import WeightsError
from fsgan_core.weights.checkpoint import load_network


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "has the configuration '{', expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ('{"evil": 1}', "does not fit the network in its header"),
        ('{"width": 1000000}', "does not fit the network in its header .Error.s. in loading state_dict"),
    ],
)  # fmt: skip
def test_headers_that_lie(out, config, words, state_of):
    save_file(state_of("segmentation"), out, metadata={"fsgan_kind": "seg_unet", "fsgan_config": config})
    with pytest.raises(WeightsError, match=words):
        load_network(out, "seg_unet")
