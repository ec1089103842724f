import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgan_core.ops.smoothing import SmoothingOptions, smooth

FRAMES = np.arange(120.0)


def noise(size=0.5, frames=120, seed=0):
    return np.random.default_rng(seed).normal(0, size, (frames, 20, 3))


def moving(curve, points=20):
    return np.broadcast_to(curve[:, None, None], (len(curve), points, 3)).copy()


def jitter(series):
    return np.abs(np.diff(series, 2, axis=0)).mean()


def rmse(series):
    return np.sqrt((series**2).mean())


def test_a_still_face_stops_trembling():
    raw = noise()
    assert jitter(smooth(raw)) < 0.05 * jitter(raw)
    assert rmse(smooth(raw)) < 0.35 * rmse(raw)


def test_slow_wobble_needs_the_jitter_argument():
    slow = np.stack([np.convolve(column, np.hanning(7) / 3, "same") for column in noise(1).reshape(120, -1).T], 1)
    slow = slow.reshape(120, 20, 3)
    assert jitter(smooth(slow, jitter=4.0)) < 0.3 * jitter(slow)
    assert jitter(smooth(slow)) > 0.5 * jitter(slow)


@pytest.mark.parametrize("curve", [3 * FRAMES - 7, np.full(120, 4.2)])
def test_steady_motion_is_exact_up_to_the_ends(curve):
    np.testing.assert_allclose(smooth(moving(curve)), moving(curve), atol=1e-8)


def test_steady_motion_loses_its_noise_as_a_still_face_does():
    raw, ramp = noise(), moving(3 * FRAMES)
    np.testing.assert_allclose(smooth(ramp + raw) - ramp, smooth(raw), atol=1e-8)


@pytest.mark.parametrize("period", [100, 50, 25])
def test_a_shaken_head_is_followed_without_lag(period):
    clean = moving(30 * np.sin(2 * np.pi * FRAMES / period))
    result = smooth(clean + noise())
    assert rmse(result - clean) < 0.5
    errors = [rmse(np.roll(result, -shift, axis=0)[10:-10] - clean[10:-10]) for shift in (-1, 0, 1)]
    assert errors[1] == min(errors)


def test_a_fast_turn_is_followed():
    clean = moving(60 / (1 + np.exp(-(FRAMES - 60) / 2)))
    assert np.abs(smooth(clean + noise()) - clean).mean((1, 2)).max() < 0.6


def test_a_step_stays_a_step_and_its_response_is_symmetric():
    step = moving(np.where(FRAMES < 60, 0.0, 30.0))
    result = smooth(step)
    np.testing.assert_allclose(result + result[::-1], 30, atol=1e-8)
    assert np.abs(smooth(step + noise()) - step).mean((1, 2)).max() < 0.6


def test_a_blink_survives():
    blink = np.zeros(120)
    blink[60:65] = 2, 5, 6, 5, 2
    assert smooth(moving(blink) + noise())[62].mean() > 5.2


@pytest.mark.parametrize("frames", [5, 8, 10, 12, 20])
def test_a_short_clip_may_end_in_a_blink(frames):
    blink = np.zeros(frames)
    blink[-4:] = 3, 3, 5, 5
    # What is known of the noise beforehand still goes: the size of a face says it in measuring.
    result = smooth(moving(blink) + noise(0.1, frames), jitter=0.2)
    assert np.abs(result.mean((1, 2)) - blink).max() < 0.35


def test_time_can_be_reversed():
    series = noise().cumsum(0)
    np.testing.assert_allclose(smooth(series[::-1]), smooth(series)[::-1], atol=1e-8)


def test_units_do_not_matter():
    series = noise().cumsum(0)
    np.testing.assert_allclose(smooth(1000 * series + 5), 1000 * smooth(series) + 5, atol=1e-5)


def test_points_are_independent():
    series = np.concatenate([noise(seed=seed) for seed in range(5)], 1)
    np.testing.assert_array_equal(smooth(series)[:, 70], smooth(series[:, 70:71])[:, 0])


def test_frames_without_weight_are_interpolated_and_never_averaged_in():
    ramp, weights = moving(2 * FRAMES), np.ones(120)
    weights[40:60] = 0
    ruined = ramp.copy()
    ruined[40:60] = 1e6
    np.testing.assert_allclose(smooth(ruined, weights), ramp, atol=1e-6)


def test_the_ends_without_weight_are_held():
    weights = np.ones(30)
    weights[:5] = weights[-5:] = 0
    series = np.full((30, 3), 7.0)
    series[weights == 0] = np.nan
    np.testing.assert_allclose(smooth(series, weights), 7, atol=1e-9)


@given(st.integers(1, 12), st.data())
@settings(max_examples=60, deadline=None)
def test_short_and_patchy_tracks_stay_within_reach(frames, data):
    values = data.draw(st.lists(st.floats(-1e3, 1e3), min_size=frames, max_size=frames))
    weights = data.draw(st.lists(st.sampled_from([0.0, 0.3, 1.0]), min_size=frames, max_size=frames).filter(any))
    result = smooth(np.array(values)[:, None], np.array(weights))
    seen = np.array(values)[np.array(weights) > 0]
    reach = np.ptp(seen) + 1e-6
    assert np.isfinite(result).all()
    assert (result >= seen.min() - reach).all() and (result <= seen.max() + reach).all()


@pytest.mark.parametrize("frames", [1, 2])
def test_too_few_frames_to_smooth_return_as_they_are(frames):
    series = noise(frames=frames)
    np.testing.assert_array_equal(smooth(series), series)


def test_width_zero_switches_off():
    np.testing.assert_array_equal(smooth(noise(), options=SmoothingOptions(width=0)), noise())


def test_angles_go_round():
    turning = (np.stack([FRAMES * 5, FRAMES], 1) + 180) % 360 - 180
    result = smooth(turning, period=360.0)
    np.testing.assert_allclose((result - turning + 180) % 360 - 180, 0, atol=1e-8)
    assert (np.abs(result) <= 180).all()


def test_tensors_stay_tensors():
    series = torch.from_numpy(noise()).float()
    result = smooth(series, torch.ones(120))
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), smooth(series.numpy().astype(np.float64)), atol=1e-5)
    assert smooth(series.numpy()).dtype == np.float32


def test_the_callers_array_is_left_alone():
    series = noise()
    smooth(series, np.ones(120))
    np.testing.assert_array_equal(series, noise())


@pytest.mark.parametrize(
    ("series", "weights"), [(np.zeros(5), None), (np.zeros((5, 2)), np.ones(4)), (np.zeros((5, 2)), np.zeros(5))]
)
def test_what_cannot_be_smoothed_is_refused(series, weights):
    with pytest.raises(ValueError, match="expected"):
        smooth(series, weights)


def test_options_are_checked():
    with pytest.raises(ValueError, match="width"):
        SmoothingOptions(width=-1)
