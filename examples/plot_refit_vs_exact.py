"""
Twenty refits and the exact path
================================

Backdoor learning curves used to be drawn from a grid of fits. Where the backdoor is learned early, nearly all of it
happens between the first points of such a grid. What does it miss?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.svm import SVC

import backdoor_curves as bc

rng = np.random.default_rng(0)
train, test = bc.datasets.digits((4, 9), rng=rng)
trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
learner = SVC(kernel="linear", C=100)

exact = bc.backdoor_learning_curve(learner, data)
grid = bc.backdoor_learning_curve(learner, data, method="refit", betas=np.linspace(0, 1, 20))

# %%
# At its twenty points the grid is right. Between them lies a straight line that is not the curve: most of the fall,
# and most of the knots, at which the exact path changes its formula, come before the second point.

figure, (whole, start) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for ax, right in ((whole, 1.0), (start, 0.06)):
    betas = np.unique(np.concatenate([np.linspace(0, right, 2001), exact.knots[exact.knots < right]]))
    ax.plot(betas, exact.loss("triggered", betas), color="#0072B2", label="exact path")
    ax.plot(grid.betas, grid.loss("triggered", grid.betas), "o--", color="#D55E00", markersize=4, label="20 refits")
    ax.plot(exact.knots, np.zeros(len(exact.knots)), "|", color="0.5", markersize=8, label="knots of the path")
    ax.set(xlabel="β, weight of the poison rows", xlim=(0, right), ylim=(0, None))
whole.set_ylabel("triggered loss")
whole.legend(frameon=False)
start.set_title("the first hundredths")
plt.show()

# %%
# So what is read from the curve is off as well. Shares of knots, and the three numbers:

early = np.mean(exact.knots < grid.betas[1])
print(f"{early:.0%} of {len(exact.knots)} knots lie before the second point of the grid")
print(f"area       exact {exact.area():.4f}   grid {grid.area():.4f}  ({grid.area() / exact.area() - 1:+.0%})")
print(f"half-loss  exact {exact.half_loss_beta:.4f}   grid {grid.half_loss_beta:.4f}")
print(f"slope      exact {exact.slope():.1f}   grid {grid.slope_estimate().slope:.1f}")
