"""The proof of many solutions at once: rows that single precision settles are none that the proof needs."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from backdoor_curves.kernels.functions import linear, rbf
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.svm import duality_gap as optimality
from backdoor_curves.paths.svm.dual import Problem
from backdoor_curves.paths.svm.duality_gap import Family
from backdoor_curves.paths.svm.follow import svm_path

KERNELS = pytest.mark.parametrize(
    ("kernel", "intercept"),
    [(linear, penalised(1.0)), (linear, FREE), (linear, NONE), (partial(rbf, gamma=0.3), FREE)],
)


def a_path(kernel, intercept, C=0.1, n=200):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 3)), np.where(np.arange(n) % 2, 1.0, -1.0)
    X[:, 0] += y
    poison = np.arange(n) >= n - 30
    X[poison, 2] += 3.0
    return svm_path(X, y, np.where(poison, 0.0, C), np.where(poison, C, 0.0), kernel, intercept)


def seen_directly(family, monkeypatch):
    """What the proof sees if no row is settled, nor the table used."""
    monkeypatch.setattr(optimality, "FEW", 10**9)
    seen = replace(family)._seen
    monkeypatch.undo()
    return seen


@KERNELS
@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_gaps_and_inner_products_do_not_depend_on_what_is_settled(kernel, intercept, C, monkeypatch):
    """Neither at the optimum nor beside it, where the gap is 1e-5 to 1e-3."""
    family = a_path(kernel, intercept, C)._all
    assert len(family.betas) > optimality.FEW
    off = replace(family, A=family.A * 0.97)
    for solutions in (family, off):
        gap, short, inner = solutions._seen
        expected = seen_directly(solutions, monkeypatch)
        np.testing.assert_allclose(gap, expected[0], rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(short, expected[1], atol=1e-12)
        a = solutions.duals()
        terms = np.einsum("kn,nm,km->k", a, np.abs(solutions.problem.gram), a).max()
        for part in ("squares", "beside", "first"):
            np.testing.assert_allclose(getattr(inner, part), getattr(expected[2], part), atol=1e-14 * terms)
    assert len(family.settled.others) < len(family.problem.y)
    assert off.gap().min() > 1e-6


@KERNELS
def test_a_settled_row_is_on_its_side_at_every_node(kernel, intercept):
    """As double precision has it; and some rows of either kind are settled."""
    path = a_path(kernel, intercept)
    family, problem = path._all, path.problem
    settled = np.setdiff1d(np.arange(len(problem.y)), family.settled.others)
    margins = problem.y * (path.nodal_duals * problem.y @ problem.gram + family.b[:, np.newaxis])
    at_bound = np.isin(settled, family.settled.at_bound)
    assert at_bound.any()
    assert not at_bound.all()
    assert (margins[:, settled[at_bound]] < 1.0).all()
    assert (margins[:, settled[~at_bound]] > 1.0).all()


@KERNELS
def test_a_row_that_fails_at_one_node_is_not_settled(kernel, intercept, monkeypatch):
    """The intercept of one solution moved by the distance of a row, and by 1e-4 more: its condition fails there."""
    family = a_path(kernel, intercept)._all
    problem, k = family.problem, len(family.betas) // 2
    margins = problem.y * (family.duals()[k] * problem.y @ problem.gram + family.b[k])
    settled = np.setdiff1d(np.arange(len(problem.y)), family.settled.others)
    for side in (-1.0, 1.0):
        rows = settled[np.sign(margins[settled] - 1.0) == side]
        row = rows[np.abs(margins[rows] - 1.0).argmin()]
        b = family.b.copy()
        b[k] += problem.y[row] * (1.0 - margins[row] - side * 1e-4)
        moved = replace(family, b=b)
        assert row in moved.settled.others
        np.testing.assert_allclose(moved._seen[0], seen_directly(moved, monkeypatch)[0], rtol=1e-9, atol=1e-14)


def test_the_bound_is_what_keeps_doubtful_rows(monkeypatch):
    """A row 1e-7 from its margin: single precision cannot tell, and would settle it without its bound."""
    family = a_path(linear, penalised(1.0))._all
    problem, k = family.problem, len(family.betas) // 2
    margins = problem.y * (family.duals() * problem.y @ problem.gram + family.b[:, np.newaxis])
    beyond = np.setdiff1d(np.arange(len(problem.y)), np.append(family.moving, np.flatnonzero(family.at_bound)))
    row = beyond[margins[k, beyond].argmin()]
    b = family.b + problem.y[row] * (1.0 - margins[:, row].min() + 1e-7)
    moved = replace(family, b=b)
    assert row in moved.settled.others
    monkeypatch.setattr(optimality, "SINGLE", 0.0)
    assert row not in replace(family, b=b + problem.y[row] * 1e-6).settled.others


def test_kernels_beyond_single_precision_settle_nothing():
    """A product that overflows says nothing, without a warning: the row in question has a margin of -2."""
    K = np.diag([1e39, 1.0, 4e39])
    K[0, 2] = K[2, 0] = 1e39
    K[1, 2] = K[2, 1] = -3.0
    problem = Problem(K, np.ones(3), np.ones(3), np.zeros(3), NONE)
    for k in (optimality.FEW, optimality.FEW + 4):
        A, betas = np.tile([1e-39, 1.0], (k, 1)), np.linspace(0.0, 1.0, k)
        family = Family(problem, betas, np.zeros(k), np.array([0, 1]), A, np.zeros(3, dtype=bool))
        assert 2 in family.settled.others
        assert family.gap().min() > 0.5
