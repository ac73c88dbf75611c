"""
Four learners
=============

Logistic regression, ridge, a linear and an RBF SVM meet the same poison, weakly and strongly regularised. Curves of
different losses have different scales: compare their shapes, and the attack success rates, not their heights.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.svm import SVC, LinearSVC

import backdoor_curves as bc

rng = np.random.default_rng(0)
train, test = bc.datasets.digits((4, 9), rng=rng)
trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)

LEARNERS = {
    "logistic": lambda lam: LogisticRegression(C=1 / lam),
    "ridge": lambda lam: RidgeClassifier(alpha=lam / 2),
    "linear SVM": lambda lam: LinearSVC(loss="hinge", C=1 / lam),
    "RBF SVM": lambda lam: SVC(gamma=0.05, C=1 / lam),
}
STRENGTHS = {"weak": 0.1, "strong": 30.0}

# %%
# With the same λ throughout, in the units of the conventions: half of λ times the square of w's length, beside a sum
# of losses.

curves = {
    strength: bc.backdoor_learning_curves({name: make(lam) for name, make in LEARNERS.items()}, data)
    for strength, lam in STRENGTHS.items()
}
figure, axes = plt.subplots(2, 2, figsize=(9, 8.4), layout="constrained")
for column, (strength, lam) in zip(axes.T, STRENGTHS.items(), strict=True):
    for ax, quantity in zip(column, ("loss", "accuracy"), strict=True):
        bc.BackdoorLearningCurveDisplay.from_curves(curves[strength], ax=ax, quantity=quantity)
    column[0].set_title(f"λ = {lam:g}, {strength} regularisation")
plt.show()

# %%
# How each was followed, where half of its loss is gone, and what the attacker and the user get:

for strength, by_learner in curves.items():
    for name, curve in by_learner.items():
        print(
            f"{strength:6} {name:10} followed as {curve.method:8}  half-loss {curve.half_loss_beta:5.3f}  "
            f"ASR {curve.accuracy('triggered', 1.0):5.1%}  clean {curve.accuracy('clean', 1.0):5.1%}"
        )
