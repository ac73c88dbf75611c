"""The support vector machines of the published MNIST curves, each followed and compared with its oracle."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel

from backdoor_curves.paths.intercept import FREE, penalised
from backdoor_curves.paths.svm.follow import svm_path
from backdoor_curves.poisoning import paper_protocol as protocol
from reference.interior_point import solve

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
PAIRS = ((7, 1), (3, 0), (5, 2))
RATES = (0.01, 0.1, 0.2)


@dataclass(frozen=True)
class Setting:
    """A learner of the published curves; `gamma` None for a linear one with a penalised intercept."""

    C: float
    gamma: float | None

    def __str__(self):
        return f"linear C={self.C:g}" if self.gamma is None else f"rbf C={self.C:g} gamma={self.gamma:g}"

    @property
    def intercept(self):
        return penalised(1.0) if self.gamma is None else FREE

    def kernel(self, A, B):
        return linear_kernel(A, B) if self.gamma is None else rbf_kernel(A, B, gamma=self.gamma)


SETTINGS = (
    *(Setting(C, None) for C in (0.01, 10.0)),
    *(Setting(C, gamma) for gamma in (5e-4, 5e-3) for C in (1.0, 100.0)),
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """A path at some betas: errors and bounds of the scores, in their units, and what the oracle may be off by."""

    betas: np.ndarray
    error: np.ndarray
    bound: np.ndarray
    oracle: np.ndarray
    unique: np.ndarray
    nodal_gap: float
    perturbation: float
    n_nodes: int


def random_betas(count, seed):
    """Half of them uniform, half uniform in their logarithm from 1e-4 on, where most knots are."""
    rng = np.random.default_rng(seed)
    return np.sort(np.append(rng.random(count - count // 2), 10.0 ** rng.uniform(-4, 0, count // 2)))


def compare(setting, images, rate, betas):
    """Follow a setting on the paper's poisoned rows, and return how its scores on both test sets compare."""
    data = protocol.badnet(*images, rate=rate, size=6)
    flat = [part.X.reshape(len(part), -1) for part in (data.clean_train, data.poison_train)]
    poison = np.repeat([False, True], [len(part) for part in flat])
    y = np.concatenate([data.clean_train.y, data.poison_train.y]) * 2.0 - 1.0
    tests = [part.X.reshape(len(part), -1) for part in (data.clean_test, data.triggered_test)]
    u0, du = np.where(poison, 0.0, setting.C), np.where(poison, setting.C, 0.0)
    path = svm_path(np.vstack(flat), y, u0, du, setting.kernel, setting.intercept)
    y, u0, du = path.problem.y, path.problem.u0, path.problem.du
    shift = setting.intercept.shift
    K = setting.kernel(path.X, path.X) + shift
    rows = np.vstack(tests)
    cross = setting.kernel(path.X, rows) + shift
    longest = 1.0 if setting.gamma is not None else float(np.sqrt((rows**2).sum(axis=1).max() + shift))
    reach = longest + (np.sqrt(np.diag(K).max()) if setting.intercept.is_free else 0.0)
    scores = path.scores(rows, betas)
    certificate = path.certificate(betas, tests)
    optima = [solve(K, y, u0 + beta * du, setting.intercept.is_free) for beta in betas]
    right = np.array([best.offsets(cross) + best.intercept for best in optima])
    return Comparison(
        betas,
        np.abs(scores - right).max(axis=1),
        certificate.score_bound,
        np.array([best.error for best in optima]) * reach,
        np.array([best.is_unique() for best in optima]),
        float(path.certificate(path.interpolant.nodes, tests).objective_gap.max()),
        path.perturbation,
        len(path.interpolant.nodes),
    )
