"""Where a key stands in a file."""

from backdoor_curves.study.file.lines_of_keys import line_of, lines_of_keys

TEXT = """\
name = "x"          # a comment = here
"quoted key" = 1

[data]
n_train = 3
[[experiments]]
[experiments.trigger]
size = 1
[[experiments.learners]]
lambda = [1,
  2]
[[experiments]]
[[experiments.learners]]
kind = 'ridge'
[[experiments.learners]]
kind = 'logistic'
"""


def test_every_key_and_table_has_its_line():
    """Tables in lists are counted from 0, as in the places of faults."""
    assert lines_of_keys(TEXT) == {
        "name": 1,
        "quoted key": 2,
        "data": 4,
        "data.n_train": 5,
        "experiments": 6,
        "experiments[0]": 6,
        "experiments[0].trigger": 7,
        "experiments[0].trigger.size": 8,
        "experiments[0].learners": 9,
        "experiments[0].learners[0]": 9,
        "experiments[0].learners[0].lambda": 10,
        "experiments[1]": 12,
        "experiments[1].learners": 13,
        "experiments[1].learners[0]": 13,
        "experiments[1].learners[0].kind": 14,
        "experiments[1].learners[1]": 15,
        "experiments[1].learners[1].kind": 16,
    }


def test_what_has_no_line_gets_that_of_what_it_is_in():
    """An entry of a list, a key of an inline table, a key that is missing."""
    lines = lines_of_keys(TEXT)
    assert line_of("experiments[0].learners[0].lambda[1]", lines) == 10
    assert line_of("data.name", lines) == 4
    assert line_of("seeds", lines) is None
