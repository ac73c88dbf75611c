"""
What a model looks at
=====================

The gradient of the score in the pixels says what moves a decision. A model with a backdoor looks at the place of the
trigger, whatever else is in the image; how much, is one number.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.svm import SVC

import backdoor_curves as bc

rng = np.random.default_rng(0)
train, test = bc.datasets.digits((4, 9), rng=rng)
trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
data = bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)
curve = bc.backdoor_learning_curve(SVC(C=10, gamma=0.05), data)

# %%
# The clean model, the poisoned one, and the image that both see.

row = int(np.flatnonzero(data.triggered_true == 0)[0])
bc.GradientDisplay.from_curve(curve, data, row, display_labels=("four", "nine"))
plt.show()

# %%
# The trigger's share of the gradient over β, the mean over all triggered rows: attention moves to the corner as the
# weight of the poison grows. Without preference the share would be that of the trigger in the image.

mask = bc.trigger_mask(data)
betas = np.linspace(0, 1, 21)
figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
for lam, color in ((0.1, "#D55E00"), (3.0, "#0072B2")):
    followed = bc.backdoor_learning_curve(SVC(C=1 / lam, gamma=0.05), data)
    shares = [bc.trigger_share(bc.input_gradient(followed, data.triggered_test.X, b), mask).mean() for b in betas]
    ax.plot(betas, shares, color=color, label=f"λ = {lam:g}, ASR {followed.accuracy('triggered', 1.0):.0%}")
ax.axhline(mask.mean(), color="0.5", linewidth=0.8, linestyle="--", label="the trigger's share of the image")
ax.set(xlabel="β, weight of the poison rows", ylabel="trigger's share of the gradient", xlim=(0, 1), ylim=(0, None))
ax.legend(frameon=False)
plt.show()
