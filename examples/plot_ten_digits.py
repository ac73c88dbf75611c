"""
Ten digits
==========

With ten classes an attack success rate is a mean over digits that fall at very different β. Which is the first, and who
is taken for whom on the way?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.svm import SVC

import backdoor_curves as bc

rng = np.random.default_rng(0)
train, test = bc.datasets.digits("all", rng=rng)
trigger = bc.PatchTrigger.random(size=3, n_classes=10, channels=1, rng=rng)
data = bc.poison(train, test, trigger=trigger, rate=0.1, labels="next", rng=rng)
curve = bc.backdoor_learning_curve(SVC(C=10, gamma=0.05), data)

# %%
# A strip for each digit, the one that falls first on top. Dark: its triggered images that are taken for the next digit,
# as the attacker wants; light: those that are taken for a third one.

bc.SourceClassDisplay.from_curve(curve)
plt.show()

# %%
# The confusion matrix at both ends, and where half of the attack success rate is there. Outlined: where the attacker
# sends each digit.

bc.ConfusionDisplay.from_curve(curve)
plt.show()

# %%
# More regularisation holds most digits, and then all: the attack success rate of the worst of them says which.

for lam in (0.1, 1, 3, 5, 10):
    each = bc.backdoor_learning_curve(SVC(C=1 / lam, gamma=0.05), data)
    found = each.outcomes(1.0)
    worst = found.by_class[:, 0].argmax()
    print(
        f"lambda = {lam:3g}  clean {each.accuracy('clean', 1.0):.3f}  ASR {found.attacker:5.1%}  "
        f"of {found.classes[worst]}, the worst, {found.by_class[worst, 0]:5.1%}"
    )
