"""What a plan will take."""

from __future__ import annotations

import pytest
from small_study import four_learners, small

from backdoor_curves.kernels import on_demand
from backdoor_curves.study.file.config import DataConfig, LearnerConfig
from backdoor_curves.study.plan import resources
from backdoor_curves.study.plan.cells import make_plan
from backdoor_curves.study.plan.resources import as_bytes, memory_of, memory_of_machine, require_memory, seconds_of_all


@pytest.mark.parametrize(
    ("text", "size"),
    [("1GiB", 2**30), ("1 gb", 1e9), ("512MiB", 2**29), ("1.5", 1.5 * 2**30), ("2g", 2**31), ("4096 kB", 4.096e6)],
)
def test_sizes_are_read_as_people_write_them(text, size):
    """A bare number is in GiB."""
    assert as_bytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "nan", "inf", "1 XB", "GB"])
def test_what_is_no_size_is_a_sentence(text):
    """With what was expected."""
    with pytest.raises(ValueError, match="--max-memory: a size such as 8GB or 512MiB was expected"):
        as_bytes(text)


def test_more_rows_need_more():
    """Kernels grow with the square of the rows."""
    few, many = (make_plan(four_learners(data=(DataConfig(n_train=n, n_test=40),))) for n in (100, 1000))
    for a, b in zip(few.groups, many.groups, strict=True):
        assert memory_of(a) < memory_of(b)
    assert seconds_of_all(few.cells, few) < seconds_of_all(many.cells, many)
    assert 2**27 < memory_of_machine() < 2**50


def test_a_kernel_matrix_is_counted_where_the_path_has_one(monkeypatch):
    """Beyond the room for it rows are had on demand, and memory grows as the rows."""

    def needed(n_train):
        data = (DataConfig(n_train=n_train, n_test=40),)
        learners = (LearnerConfig("rbf-svm", (1.0,), (0.1,)),)
        (group,) = make_plan(small(data=data, learners=learners, rates=(0.1,), seeds=(0,))).groups
        memory_of.cache_clear()
        return memory_of(group)

    whole = {n: needed(n) for n in (500, 1000)}
    assert whole[1000] - whole[500] > 5 * 8.0 * (1000**2 - 500**2)
    monkeypatch.setattr(on_demand, "ROOM", 2 * 8.0 * 500**2)
    monkeypatch.setattr(on_demand, "NEAR", 10)
    monkeypatch.setattr(on_demand, "COMPUTED", 10)
    monkeypatch.setattr(resources, "HELD", 0)
    assert needed(500) == whole[500]
    assert needed(1000) < whole[1000] - 5 * 8.0 * 1000**2
    memory_of.cache_clear()


def test_the_group_that_needs_most_is_named():
    """It is what has to be made smaller."""
    require_memory(make_plan(small()), 2**33)
    with pytest.raises(ValueError, match=r"training rows needs .* GiB are allowed; draw fewer rows, or raise"):
        require_memory(make_plan(small()), 2**20)
