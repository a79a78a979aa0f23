import numpy as np
import pytest

from clearfilters.analysis.masking import filters_of_classes, measure, recall_per_class
from clearfilters.errors import ClearfiltersError


def test_filters_of_classes_by_hand(gates):
    # Rows: 0 (1, .2, 0, 1, .4), 1 (.1, 1, .3, 1, 1), 2 (0, 0, 1, .7, .5).
    np.testing.assert_array_equal(
        filters_of_classes(gates.trained, [0], 0.5), [True, False, False, True, False]
    )
    np.testing.assert_array_equal(
        filters_of_classes(gates.trained, [0, 2], 0.5), [True, False, True, True, False]
    )
    assert not filters_of_classes(gates.trained, [], 0.5).any()


def test_recall_of_a_class_without_samples_is_undefined():
    recall = recall_per_class(np.array([[3, 1], [0, 0]]))
    assert recall[0] == 0.75 and np.isnan(recall[1])


@pytest.mark.parametrize("case", [[0], [0, 2], [], [0, 1, 2]])
def test_against_loops(features, gates, case):
    values = measure(features, gates, threshold=0.5, cases=[case])
    assert values["source"] == "trained" and values["threshold"] == 0.5
    (found,) = values["cases"]
    confusion = np.zeros((3, 3), dtype=int)
    masked = [any(gates.trained[c, k] > 0.5 for c in case) for k in range(5)]
    for pooled, label in zip(features.test_pooled, features.test_labels, strict=True):
        kept = [0.0 if masked[k] else pooled[k] for k in range(5)]
        confusion[label, np.argmax(features.weight @ kept + features.bias)] += 1
    recall = confusion.diagonal() / confusion.sum(axis=1)
    others = [c for c in range(3) if c not in case]
    assert found["masked_classes"] == case
    assert found["masked_filters"] == sum(masked)
    assert found["confusion"] == confusion.tolist()
    assert found["accuracy"] == pytest.approx(confusion.trace() / confusion.sum())
    assert found["recall_masked"] == (pytest.approx(recall[case].mean()) if case else None)
    assert found["recall_other"] == (pytest.approx(recall[others].mean()) if others else None)


@pytest.mark.parametrize(
    ("threshold", "cases", "message"),
    [(1.0, [[0]], "threshold"), (-0.1, [[0]], "threshold"), (0.5, [[0], [3]], "class 3")],
)
def test_parameters_out_of_range(features, gates, threshold, cases, message):
    with pytest.raises(ClearfiltersError, match=message):
        measure(features, gates, threshold=threshold, cases=cases)
