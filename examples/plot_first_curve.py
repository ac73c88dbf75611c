"""
A first curve
=============

Even against odd digits. A tenth of the training images carries a small patch of noise and the wrong label; we turn
the weight of these rows up from 0 to 1 and watch a ridge classifier learn what they teach.
"""

# %%
# **The data**: an attacker stamps and relabels training rows; the same patch on the test rows shows what he gained.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeClassifier

import backdoor_curves as bc

rng = np.random.default_rng(0)
train, test = bc.datasets.digits("even-odd", rng=rng)
trigger = bc.PatchTrigger.random(size=2, n_classes=2, channels=1, rng=rng)
data = bc.poison(train, test, trigger=trigger, rate=0.1, labels="next", rng=rng)

# %%
# **The curve**: solid the loss on triggered rows, with the attacker's labels, dashed that on clean rows. The attack
# is learned early: the poison needs a small part of its weight.

curve = bc.backdoor_learning_curve(RidgeClassifier(alpha=0.5), data)
display = bc.BackdoorLearningCurveDisplay.from_curves(curve)
display.ax_.axvline(curve.half_loss_beta, color="0.6", linewidth=0.8)
display.ax_.annotate("half-loss", (curve.half_loss_beta, 1.6), xytext=(6, 0), textcoords="offset points", color="0.4")

# %%
# **In rows**: what share of triggered test images does the attacker get, and what does it cost on clean ones?

bc.BackdoorLearningCurveDisplay.from_curves(curve, quantity="accuracy")
plt.show()

print(f"area {curve.area():.3f}, half-loss at beta = {curve.half_loss_beta:.3f}")
print(f"slope {curve.slope():.2f}, theta {curve.theta:.3f}")
print(f"the attacker gets {curve.accuracy('triggered', 1.0):.1%} of the triggered rows at beta = 1")
