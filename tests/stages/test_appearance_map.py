import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsgan_core.ops.pose_plane import on_plane
from fsgan_core.stages.appearance_map import AppearanceMap

yaws, pitches = st.floats(-180, 180), st.floats(-90, 90)
poses = st.tuples(yaws, pitches, st.just(0.0)).map(np.array)

DEGENERATE = {
    "one": [(10, 5)],
    "two": [(-20, 0), (20, 0)],
    "row": [(yaw, 0) for yaw in range(-60, 61, 10)],
    "diagonal": [(yaw, yaw / 3) for yaw in range(-60, 61, 15)],
    "nearly a row": [(-20, 0), (0, 0.3), (20, 0)],
    "duplicates": [(0, 0), (0, 0), (30, 10), (30, 10), (30, 10)],
    "close": [(0, 0), (0.001, 0), (1e-9, 0.2)],
    "grid": [(yaw, pitch) for yaw in (-40, 0, 40) for pitch in (-20, 0, 20)],
    "far": [(180, 0), (-180, 10), (0, 90), (0, -90), (90, 45)],
    "cloud": [tuple(point) for point in np.random.default_rng(0).uniform(-50, 50, (40, 2))],
}


def make(points, notes=None):
    count = len(points)
    placed = np.array([(*point, 0) for point in points], np.float32)
    views = tuple(np.full((4, 5, 3), number, np.uint8) for number in range(count))
    zeros = np.zeros((count, 478, 3), np.float32), np.zeros((count, 4), np.float32)
    return AppearanceMap(views, placed, *zeros, notes or {})


def shares(appearance, wanted):
    """Weight of every view, (B, K)."""
    numbers, weights = appearance.query(np.atleast_2d(wanted))
    dense = np.zeros((len(numbers), len(appearance)))
    for row, (number, weight) in enumerate(zip(numbers, weights, strict=True)):
        np.add.at(dense[row], number, weight)
    return dense


@pytest.fixture(scope="module", params=sorted(DEGENERATE))
def appearance(request):
    return make(DEGENERATE[request.param])


@settings(max_examples=20, deadline=None)
@given(wanted=st.lists(poses, min_size=1, max_size=20))
def test_weights_are_safe_on_the_whole_sphere(appearance, wanted):
    numbers, weights = appearance.query(np.array(wanted))
    assert np.isfinite(weights).all() and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert ((numbers >= 0) & (numbers < len(appearance))).all()
    assert (np.diff(weights, axis=1) <= 1e-7).all()


@settings(max_examples=20, deadline=None)
@given(first=poses, second=poses)
def test_weights_are_continuous_on_the_whole_sphere(appearance, first, second):
    part = np.linspace(0, 1, 1001)[:, None]
    path = first + part * (second - first)
    step = np.linalg.norm(np.diff(on_plane(path), axis=0), axis=1).max()
    moved = np.abs(np.diff(shares(appearance, path), axis=0)).max()
    # Views at least half a degree apart: no weight changes faster than 4 a degree.
    assert moved <= 4 * step + 1e-5


@given(pitch=pitches, yaw=yaws)
@settings(max_examples=20, deadline=None)
def test_there_is_no_seam_behind_or_above_the_head(appearance, pitch, yaw):
    behind = shares(appearance, [(180, pitch, 0), (-180, pitch, 0), (540, pitch, 0)])
    above = shares(appearance, [(yaw, 90, 0), (-yaw, 90, 0), (0, 90, 0)])
    np.testing.assert_allclose(behind, behind[:1].repeat(3, 0), atol=1e-6)
    np.testing.assert_allclose(above, above[:1].repeat(3, 0), atol=1e-6)


def test_over_the_top_is_the_other_side():
    np.testing.assert_allclose(on_plane(np.array([[10.0, 100.0, 0.0]])), on_plane(np.array([[-170.0, 80.0, 0.0]])))


@pytest.mark.parametrize("name", ["grid", "cloud", "row", "two", "one"])
def test_a_views_own_pose_shows_that_view(name):
    appearance = make(DEGENERATE[name])
    np.testing.assert_allclose(shares(appearance, appearance.poses), np.eye(len(appearance)), atol=1e-6)


@given(st.floats(-39, 39), st.floats(-19, 19))
@settings(max_examples=50, deadline=None)
def test_weights_reproduce_the_pose_between_views(yaw, pitch):
    appearance = make(DEGENERATE["grid"])
    mean = shares(appearance, (yaw, pitch, 0)) @ appearance.poses
    np.testing.assert_allclose(mean[0, :2], (yaw, pitch), atol=1e-4)


def test_three_views_give_barycentric_weights():
    appearance = make([(0, 0), (40, 0), (0, 40)])
    np.testing.assert_allclose(shares(appearance, (10, 20, 0)), [[0.25, 0.25, 0.5]], atol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [((90, 0, 0), [0, 1]), ((-90, 0, 0), [1, 0]), ((0, 90, 0), [0.5, 0.5]), ((0, -90, 0), [0.5, 0.5])],
)
def test_beyond_the_views_the_nearest_are_shown(wanted, expected):
    np.testing.assert_allclose(shares(make([(-20, 0), (20, 0)]), wanted), [expected], atol=1e-6)


def test_a_needle_does_not_hide_the_view_at_hand():
    assert shares(make(DEGENERATE["nearly a row"]), (0, 0, 0))[0, 1] > 0.98


def test_roll_plays_no_part():
    appearance = make(DEGENERATE["grid"])
    np.testing.assert_array_equal(shares(appearance, (7, 8, 90)), shares(appearance, (7, 8, 0)))


@given(wanted=poses)
@settings(max_examples=20, deadline=None)
def test_closest_shows_the_nearest_view_alone(appearance, wanted):
    numbers, weights = appearance.query(wanted, closest=True)
    distance = np.linalg.norm(on_plane(appearance.poses) - on_plane(wanted[None]), axis=1)
    assert distance[numbers[0]] == distance.min()
    np.testing.assert_array_equal(weights, (1, 0, 0))


def test_a_batch_gives_what_its_rows_give():
    appearance = make(DEGENERATE["cloud"])
    wanted = np.random.default_rng(1).uniform(-90, 90, (30, 3))
    numbers, weights = appearance.query(wanted)
    for row, pose in enumerate(wanted):
        number, weight = appearance.query(pose)
        np.testing.assert_array_equal(number, numbers[row])
        np.testing.assert_array_equal(weight, weights[row])


@pytest.mark.parametrize("wanted", [np.zeros(2), np.zeros((2, 2)), np.full(3, np.nan), np.zeros((1, 2, 3))])
def test_what_is_no_pose_is_refused(wanted):
    with pytest.raises(ValueError, match="expected finite"):
        make([(0, 0)]).query(wanted)


def test_no_poses_give_no_weights():
    numbers, weights = make([(0, 0)]).query(np.zeros((0, 3)))
    assert numbers.shape == weights.shape == (0, 3)


def test_what_does_not_fit_together_is_refused():
    good = make([(0, 0)])
    with pytest.raises(ValueError, match="1 or more"):
        AppearanceMap((), good.poses[:0], good.landmarks[:0], good.boxes[:0])
    with pytest.raises(ValueError, match="uint8"):
        AppearanceMap((np.zeros((4, 4)),), good.poses, good.landmarks, good.boxes)
    with pytest.raises(ValueError, match="not finite"):
        AppearanceMap(good.views, good.poses * np.nan, good.landmarks, good.boxes)
