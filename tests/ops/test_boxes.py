"""Overlap of boxes, non-maximum suppression and boxes around masks."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from fsgan_core.ops.boxes import areas, bounding_boxes, generalized_overlaps, overlaps, suppress, surrounding

BOX = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 15), st.integers(1, 15))


def boxes_of(rows):
    x, y, w, h = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4).unbind(1)
    return torch.stack([x, y, x + w, y + h], 1)


def test_overlap_of_a_shifted_square_is_one_third():
    one, other = torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2])
    assert overlaps(one, other).item() == torch.tensor(1 / 3).item()
    # The hull of both is exactly their union.
    assert abs(generalized_overlaps(one, other).item() - 1 / 3) < 1e-6


def test_generalized_overlap_grows_as_distant_boxes_come_closer():
    one = torch.tensor([0.0, 0, 1, 1])
    far, near = (generalized_overlaps(one, torch.tensor([x, 0.0, x + 1, 1])) for x in (9.0, 3.0))
    assert -1 < far < near < 0


def test_an_empty_box_overlaps_nothing():
    assert overlaps(torch.tensor([3.0, 3, 1, 1]), torch.tensor([0.0, 0, 9, 9])).item() == 0
    assert areas(torch.tensor([3.0, 3, 1, 9])).item() == 0


@given(BOX, BOX)
def test_overlap_counts_unit_squares(first, second):
    def squares(box):
        x, y, w, h = box
        return {(i, j) for i in range(x, x + w) for j in range(y, y + h)}

    one, other = squares(first), squares(second)
    found = overlaps(boxes_of([first]), boxes_of([second])).item()
    assert abs(found - len(one & other) / len(one | other)) < 1e-6


@given(st.lists(BOX, max_size=12))
def test_suppression_is_greedy(rows):
    boxes = boxes_of(rows)
    scores = torch.linspace(1, 0.1, len(rows))
    alive: list[int] = []
    for number in range(len(rows)):
        if all(overlaps(boxes[number], boxes[kept]) <= 0.4 for kept in alive):
            alive.append(number)
    assert suppress(boxes, scores, overlap=0.4, containment=1).tolist() == alive


def test_best_score_comes_first_and_an_inner_box_goes():
    boxes = torch.tensor([[10.0, 10, 14, 14], [0.0, 0, 20, 20], [40.0, 0, 60, 20]])
    assert suppress(boxes, torch.tensor([0.5, 0.6, 0.9])).tolist() == [2, 1]


def test_bounding_boxes():
    masks = torch.zeros(3, 1, 20, 30)
    masks[0, 0, 4:9, 10:25] = 0.1
    masks[1, 0, 19, 29] = 1
    assert bounding_boxes(masks).tolist() == [[10, 4, 25, 9], [29, 19, 30, 20], [0, 0, 0, 0]]


def test_a_part_holds_every_mask_of_a_batch_and_ends_with_the_picture():
    masks = torch.zeros(2, 1, 20, 30)
    masks[0, 0, 3:5, 6:9] = 1
    masks[1, 0, 8, 27] = 0.1
    assert masks[surrounding(masks)].shape == (2, 1, 6, 22)
    assert masks[surrounding(masks, 2)].shape == (2, 1, 10, 26)
    assert masks[surrounding(masks, 99)].shape == masks[surrounding(0 * masks)].shape == masks.shape
    assert masks[surrounding(masks)].sum() == masks.sum()
