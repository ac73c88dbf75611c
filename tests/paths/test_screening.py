"""Screening: rows whose side single precision proves are none that the duality gap needs a look at."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from backdoor_curves.kernels.functions import linear, rbf
from backdoor_curves.kernels.matrix import WholeMatrix
from backdoor_curves.paths.intercept import FREE, NONE, penalised
from backdoor_curves.paths.svm import screening, svm_path
from backdoor_curves.paths.svm import solutions as solutions_module
from backdoor_curves.paths.svm.dual import MARGIN, Problem
from backdoor_curves.paths.svm.duality_gap import DualityGap
from backdoor_curves.paths.svm.screening import screen
from backdoor_curves.paths.svm.solutions import FEW, Solutions

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


def gap_of(solutions):
    """Their own gap, which asks for no sets."""
    return DualityGap(solutions, np.full((len(solutions.betas), len(solutions.problem.y)), MARGIN, dtype=np.int8))


def unscreened(solutions, monkeypatch):
    """What a look finds if no row is screened, nor the table used."""
    with monkeypatch.context() as patched:
        patched.setattr(screening, "FEW", 10**9)
        patched.setattr(solutions_module, "FEW", 10**9)
        return gap_of(solutions)._first_look


@KERNELS
@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_gaps_and_inner_products_do_not_depend_on_screening(kernel, intercept, C, monkeypatch):
    """Neither at the optimum nor beside it, where the gap is 1e-5 to 1e-3."""
    right = a_path(kernel, intercept, C).nodal_solutions
    assert len(right.betas) > FEW
    off = replace(right, A=right.A * 0.97)
    for solutions in (right, off):
        found, expected = gap_of(solutions)._first_look, unscreened(solutions, monkeypatch)
        np.testing.assert_allclose(found.gap, expected.gap, rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(found.shortfall, expected.shortfall, atol=1e-12)
        a = solutions.duals()
        terms = np.einsum("kn,nm,km->k", a, np.abs(solutions.problem.gram), a).max()
        for part in ("squares", "beside", "first"):
            np.testing.assert_allclose(getattr(found.inner, part), getattr(expected.inner, part), atol=1e-14 * terms)
    assert len(screen(right).others) < len(right.problem.y)
    assert gap_of(off).own().min() > 1e-6


@KERNELS
def test_a_screened_row_is_on_its_side_at_every_node(kernel, intercept):
    """As double precision has it; and some rows of either kind are screened."""
    path = a_path(kernel, intercept)
    found, problem = screen(path.nodal_solutions), path.problem
    rows = np.setdiff1d(np.arange(len(problem.y)), found.others)
    margins = problem.y * (path.nodal_duals * problem.y @ problem.gram + path.at.b[:, np.newaxis])
    at_bound = np.isin(rows, found.at_bound)
    assert at_bound.any()
    assert not at_bound.all()
    assert (margins[:, rows[at_bound]] < 1.0).all()
    assert (margins[:, rows[~at_bound]] > 1.0).all()


@KERNELS
def test_a_row_that_fails_at_one_node_is_not_screened(kernel, intercept, monkeypatch):
    """The intercept of one solution moved by the distance of a row, and by 1e-4 more: its condition fails there."""
    right = a_path(kernel, intercept).nodal_solutions
    problem, k = right.problem, len(right.betas) // 2
    margins = problem.y * (right.duals()[k] * problem.y @ problem.gram + right.b[k])
    screened = np.setdiff1d(np.arange(len(problem.y)), screen(right).others)
    for side in (-1.0, 1.0):
        rows = screened[np.sign(margins[screened] - 1.0) == side]
        row = rows[np.abs(margins[rows] - 1.0).argmin()]
        b = right.b.copy()
        b[k] += problem.y[row] * (1.0 - margins[row] - side * 1e-4)
        moved = replace(right, b=b)
        assert row in screen(moved).others
        found, expected = gap_of(moved)._first_look, unscreened(moved, monkeypatch)
        np.testing.assert_allclose(found.gap, expected.gap, rtol=1e-9, atol=1e-14)


def test_the_bound_is_what_keeps_doubtful_rows(monkeypatch):
    """A row 1e-7 from its margin: single precision cannot tell, and would screen it without its bound."""
    right = a_path(linear, penalised(1.0)).nodal_solutions
    problem, k = right.problem, len(right.betas) // 2
    margins = problem.y * (right.duals() * problem.y @ problem.gram + right.b[:, np.newaxis])
    beyond = np.setdiff1d(np.arange(len(problem.y)), np.append(right.moving, np.flatnonzero(right.at_bound)))
    row = beyond[margins[k, beyond].argmin()]
    b = right.b + problem.y[row] * (1.0 - margins[:, row].min() + 1e-7)
    assert row in screen(replace(right, b=b)).others
    monkeypatch.setattr(screening, "UNIT", 0.0)
    assert row not in screen(replace(right, b=b + problem.y[row] * 1e-6)).others


def test_kernels_beyond_single_precision_screen_nothing():
    """A product that overflows says nothing, without a warning: the row in question has a margin of -2."""
    K = np.diag([1e39, 1.0, 4e39])
    K[0, 2] = K[2, 0] = 1e39
    K[1, 2] = K[2, 1] = -3.0
    problem = Problem(WholeMatrix(K), np.ones(3), np.ones(3), np.zeros(3), NONE)
    for k in (FEW, FEW + 4):
        A, betas = np.tile([1e-39, 1.0], (k, 1)), np.linspace(0.0, 1.0, k)
        solutions = Solutions(problem, betas, np.zeros(k), np.array([0, 1]), A, np.zeros(3, dtype=bool))
        assert 2 in screen(solutions).others
        assert gap_of(solutions).own().min() > 0.5
