"""
Which training rows taught it
=============================

The influence of a training row on a test row is the derivative of the one's loss in the other's weight: negative, and
it teaches the label that the test row is to get. Poison betrays itself where triggered rows are at hand.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

import backdoor_curves as bc

rng = np.random.default_rng(0)
train, test = bc.datasets.digits((4, 9), rng=rng)
trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
curve = bc.backdoor_learning_curve(LogisticRegression(C=1), data)

# %%
# One triggered four, and the seven training images that matter most to it. Framed ones are poison.

influence = curve.influence(beta=1.0)
row = int(np.flatnonzero(data.triggered_true == 0)[0])
bc.InfluentialRowsDisplay.from_influence(influence, data, row, display_labels=("four", "nine"))
plt.show()

# %%
# All rows at once: the mean influence on all triggered rows, poison apart from the rest.

mean = np.asarray(influence).mean(axis=0)
figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
bins = np.linspace(mean.min(), mean.max(), 40)
ax.hist(mean[~data.is_poison], bins, color="#0072B2", alpha=0.8, label="clean rows")
ax.hist(mean[data.is_poison], bins, color="#D55E00", alpha=0.8, label="poison rows")
ax.axvline(0, color="0.5", linewidth=0.8)
ax.set(xlabel="mean influence on triggered rows (negative: teaches them)", ylabel="training rows", yscale="log")
ax.legend(frameon=False)
plt.show()

ranking = influence.poison_ranking()
print(f"AUC {ranking.auc:.3f}, precision among the first {ranking.k}: {ranking.precision:.3f}")

# %%
# The sum over the poison rows is the slope of the curve, at this β as at any other.

print(f"{influence.slope:.10f} summed, {curve.slope(1.0):.10f} the slope")
