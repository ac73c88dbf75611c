"""Gradients in the input against finite differences, and the trigger's share in them."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc

MASK = np.array([False, False, False, True])


def problem(n_classes=2, n=60, d=4):
    rng = np.random.default_rng(1)
    y = rng.integers(0, n_classes, n)
    X = rng.normal(size=(n, d)) + 0.7 * np.eye(max(n_classes, d))[y][:, :d]
    return bc.poison(
        (X, y), (X[:12], y[:12]), trigger=lambda rows, _: rows + 2.0 * MASK, rate=0.15, labels="next", rng=rng
    )


def by_differences(curve, X, beta, h=1e-6):
    """Central differences of the scores of the whole pipeline."""
    columns = []
    for j in range(X[0].size):
        step = np.zeros(X[0].size)
        step[j] = h
        shift = step.reshape(X.shape[1:])
        f = [scores(curve, X + sign * shift, beta) for sign in (1, -1)]
        columns.append((f[0] - f[1]) / (2 * h))
    return np.moveaxis(np.array(columns), 0, 1).reshape(*X.shape, *columns[0].shape[1:])


def scores(curve, X, beta):
    Z = X
    for step in curve.learner.steps:
        Z = step.transform(Z)
    return curve.path.scores(np.asarray(Z).reshape(len(Z), -1), np.array([beta]))[0]


class Squares(TransformerMixin, BaseEstimator):
    """A frozen map with a derivative of its own."""

    def fit(self, X, y=None):  # noqa: ARG002
        self.fitted_ = True
        return self

    def transform(self, X):
        return X**2 + X

    def vjp(self, X, G):
        return G * (2 * X + 1)


LEARNERS = [
    RidgeClassifier(),
    LogisticRegression(),
    LogisticRegression(solver="liblinear", intercept_scaling=3.0),
    LinearSVC(C=0.3, loss="hinge"),
    LinearSVC(C=0.3),
    SVC(kernel="linear"),
    SVC(gamma=0.3),
    SVC(kernel="poly", gamma=0.5, coef0=0.5, degree=3),
]
PIPELINES = [
    make_pipeline(StandardScaler(), SVC(gamma=0.3)),
    make_pipeline(StandardScaler(with_std=False), RidgeClassifier()),
    make_pipeline(MinMaxScaler((-1, 2)), MaxAbsScaler(), RobustScaler(), LogisticRegression()),
    make_pipeline(PCA(3), SVC(gamma=0.3)),
    make_pipeline(PCA(3, whiten=True), SVC(gamma=0.3)),
    make_pipeline(TruncatedSVD(3), RidgeClassifier()),
    make_pipeline(Squares(), StandardScaler(), LogisticRegression()),
]


@pytest.mark.parametrize("beta", [0.0, 0.35, 1.0])
@pytest.mark.parametrize("estimator", [*LEARNERS, *PIPELINES], ids=str)
def test_gradients_are_the_differences_of_scores(estimator, beta):
    """Linear and kernel models, through scikit-learn's linear steps and one that brings its own derivative."""
    data = problem()
    curve = bc.backdoor_learning_curve(estimator, data)
    X = np.asarray(data.triggered_test.X)
    found = bc.input_gradient(curve, X, beta)
    assert found.shape == X.shape
    np.testing.assert_allclose(found, by_differences(curve, X, beta), rtol=1e-5, atol=1e-7)


def test_the_gradient_of_the_prediction_points_to_its_class():
    """For two classes the sign turns with the prediction; a step along it makes the prediction surer."""
    data = problem()
    curve = bc.backdoor_learning_curve(SVC(gamma=0.3), data)
    X = np.asarray(data.clean_test.X)
    score, predicted = (bc.input_gradient(curve, X, 1.0, of=of) for of in ("score", "predicted"))
    f = scores(curve, X, 1.0)
    np.testing.assert_array_equal(predicted, np.where(f > 0, 1, -1)[:, np.newaxis] * score)
    surer = scores(curve, X + 1e-4 * predicted, 1.0) * np.sign(f)
    assert (surer > np.abs(f)).all()


def test_more_classes_have_a_last_axis():
    """A gradient for each class, and that of the predicted one among them."""
    data = problem(n_classes=3)
    curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    X = np.asarray(data.clean_test.X)
    found = bc.input_gradient(curve, X, 0.5)
    assert found.shape == (*X.shape, 3)
    np.testing.assert_allclose(found, by_differences(curve, X, 0.5), atol=1e-7)
    classes = scores(curve, X, 0.5).argmax(axis=1)
    np.testing.assert_array_equal(
        bc.input_gradient(curve, X, 0.5, of="predicted"), found[np.arange(len(X)), :, classes]
    )


def test_images_keep_their_shape_and_sparse_rows_are_taken():
    """What is flattened on the way in is unflattened on the way out."""
    rng = np.random.default_rng(0)
    train, test = bc.datasets.digits("even-odd", n_train=100, n_test=30, rng=rng)
    trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
    data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
    curve = bc.backdoor_learning_curve(make_pipeline(StandardScaler(), LogisticRegression()), data)
    assert bc.input_gradient(curve, test.X[:3]).shape == test.X[:3].shape
    flat = bc.PoisonedData(
        *((sp.csr_array(part.X.reshape(len(part), -1)), part.y) for part in (data.clean_train, data.poison_train)),
        *((sp.csr_array(part.X.reshape(len(part), -1)), part.y) for part in (data.clean_test, data.triggered_test)),
    )
    for estimator in (SVC(gamma=0.1), LogisticRegression()):
        dense, sparse = (bc.backdoor_learning_curve(estimator, each) for each in (data, flat))
        found = bc.input_gradient(sparse, sp.csr_array(test.X[:3].reshape(3, -1))).reshape(3, 8, 8, 1)
        np.testing.assert_allclose(found, bc.input_gradient(dense, test.X[:3]), atol=1e-5)


def test_linear_refits_have_gradients_at_their_betas():
    """Their coefficients."""
    data = problem()
    curve = bc.backdoor_learning_curve(SGDClassifier(random_state=0), data, betas=[0.0, 0.5, 1.0])
    X = np.asarray(data.clean_test.X)
    np.testing.assert_allclose(bc.input_gradient(curve, X, 0.5), by_differences(curve, X, 0.5), atol=1e-6)
    with pytest.raises(ValueError, match="answers at the betas it was fitted at"):
        bc.input_gradient(curve, X, 0.3)


def test_the_poisoned_model_looks_at_the_trigger():
    """More than the clean one, and more than the trigger's share of the row."""
    data = problem()
    curve = bc.backdoor_learning_curve(LogisticRegression(), data)
    X = np.asarray(data.triggered_test.X)
    mask = bc.trigger_mask(data)
    np.testing.assert_array_equal(mask, MASK)
    clean, poisoned = (bc.trigger_share(bc.input_gradient(curve, X, beta), mask).mean() for beta in (0.0, 1.0))
    assert poisoned > 1.5 * clean
    assert poisoned > mask.mean()


def test_a_share_is_a_share_of_magnitude():
    """By hand; a gradient of 0 has none."""
    G = np.array([[[3.0, -1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    share = bc.trigger_share(G, np.array([[False, True], [True, False]]))
    assert share[0] == 0.25
    assert np.isnan(share[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda curve, X: bc.input_gradient(curve, X, 1.5), "beta: one number in"),
        (
            lambda curve, X: bc.input_gradient(curve, X, of="loss"),
            'of: "score", "predicted" or a label for each row was',
        ),
        (lambda _, X: bc.trigger_share(X, MASK[:2]), "mask: a bool for each entry"),
        (lambda _, X: bc.trigger_share(X, MASK.astype(float)), "mask: a bool for each entry"),
    ],
)
def test_bad_arguments_get_a_sentence(call, message):
    """What was expected and what came."""
    data = problem()
    curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    with pytest.raises(ValueError, match=message):
        call(curve, np.asarray(data.clean_test.X))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (make_pipeline(Normalizer(), RidgeClassifier()), "the derivative of Normalizer is not known here"),
        (SVC(kernel=lambda A, B: A @ B.T), "needs a kernel by name"),
        (RandomForestClassifier(3, random_state=0), "has no coefficients"),
    ],
    ids=["step", "kernel", "forest"],
)
def test_what_has_no_gradient_says_so(estimator, message):
    """And what to do about it."""
    data = problem()
    curve = bc.backdoor_learning_curve(estimator, data)
    with pytest.raises(ValueError, match=message):
        bc.input_gradient(curve, np.asarray(data.clean_test.X))


def test_refitted_pairs_of_classes_have_a_gradient_each():
    """Their machines have coefficients all the same."""
    data = problem(n_classes=3)
    curve = bc.backdoor_learning_curve(SVC(kernel="linear"), data, method="refit", betas=[0.0, 0.5, 1.0])
    X = np.asarray(data.clean_test.X)
    np.testing.assert_allclose(bc.input_gradient(curve, X), by_differences(curve, X, 1.0), atol=1e-6)


@pytest.mark.parametrize("of", ["predicted", "labels"])
def test_of_pairs_the_gradient_of_a_class_is_that_of_scikit_learns_score_of_it(of):
    """Between two votes its score is votes + s / (3 (|s| + 1)): by differences of that, s being the sum of pairs.

    The derivative of the squashing is 1 / (3 (|s| + 1)^2). Differences of 1e-5 of a libsvm fit at a tolerance of 1e-12.
    """
    data, estimator = problem(n_classes=4, n=90), SVC(C=2.0, gamma=0.3, tol=1e-12, decision_function_shape="ovr")
    curve = bc.backdoor_learning_curve(estimator, data)
    X, y = np.asarray(data.clean_test.X), data.clean_test.y
    model = estimator.fit(
        np.concatenate([data.clean_train.X, data.poison_train.X]), np.append(data.clean_train.y, data.poison_train.y)
    )
    classes = model.predict(X) if of == "predicted" else y
    found = bc.input_gradient(curve, X, of="predicted" if of == "predicted" else y)
    h, own = 1e-5, (np.arange(len(X)), classes)
    for j in range(X.shape[1]):
        step = h * np.eye(X.shape[1])[j]
        up, down = (model.decision_function(X + sign * step)[own] for sign in (1, -1))
        middle = model.decision_function(X)[own]
        squashed = middle - np.round(middle)  # of size below a third
        size = 3 * np.abs(squashed) / (1 - 3 * np.abs(squashed))  # |s|
        expected = (up - down) / (2 * h) * 3 * (size + 1) ** 2
        np.testing.assert_allclose(found[:, j], expected, rtol=2e-4, atol=2e-4)


def test_gradients_of_labels_are_those_of_their_columns():
    """Of two classes the second's is the score; of many each has one; labels of text too."""
    data = problem()
    X, y = np.asarray(data.clean_test.X), np.asarray(data.clean_test.y)
    curve = bc.backdoor_learning_curve(SVC(gamma=0.3), data)
    np.testing.assert_array_equal(
        bc.input_gradient(curve, X, of=y), np.where(y == 1, 1.0, -1.0)[:, None] * bc.input_gradient(curve, X)
    )
    data = problem(n_classes=3)
    curve = bc.backdoor_learning_curve(RidgeClassifier(), data)
    every = bc.input_gradient(curve, X)
    np.testing.assert_array_equal(bc.input_gradient(curve, X, of=y), every[np.arange(len(y)), :, y])
    for wrong, said in (
        (y + 7, r"of: labels among \[0, 1, 2\] were expected, [78] came"),
        (y[:3], "of: a label for each"),
    ):
        with pytest.raises(ValueError, match=said):
            bc.input_gradient(curve, X, of=wrong)


def test_a_mask_needs_the_rows_before_they_were_stamped():
    """Own poisoned rows come without them, and texts have no entries."""
    data = problem()
    own = bc.PoisonedData(data.clean_train, data.poison_train, data.clean_test, data.triggered_test)
    with pytest.raises(ValueError, match="original_train and poison_rows"):
        bc.trigger_mask(own)
    texts, y = ["a b", "b c", "c d", "d e"] * 3, [0, 1] * 6
    mail = bc.poison(
        (texts, y), (texts, y), trigger=lambda rows, _: [r + " z" for r in rows], rate=0.3, rng=np.random.default_rng(0)
    )
    with pytest.raises(ValueError, match="rows as an array were expected, list came"):
        bc.trigger_mask(mail)
