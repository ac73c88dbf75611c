"""
Where a learner is safe
=======================

A map over λ and γ of an RBF SVM: where is the victim about as accurate as it can be, and the attack without effect?
Each setting is seen on three splits with triggers of their own, and the choice is judged on the split that it did not
see.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.svm import SVC

import backdoor_curves as bc
from backdoor_curves.search.safe_region import Bounds, Trial, safe_regions

LAMS = np.geomspace(0.1, 30, 6)
GAMMAS = np.geomspace(0.005, 0.3, 5)
SEEDS = (0, 1, 2)


def poisoned(seed: int) -> bc.PoisonedData:
    """Return a split with a trigger of its own."""
    rng = np.random.default_rng(seed)
    train, test = bc.datasets.digits((4, 9), rng=rng)
    trigger = bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng)
    return bc.poison(train, test, trigger=trigger, rate=0.1, rng=rng)


# %%
# Ninety victims, each with its whole path. (A study does this from a file, keeps every cell, and goes on after a
# power cut.)

trials = []
for seed in SEEDS:
    data, shared = poisoned(seed), bc.Shared()
    for gamma in GAMMAS:
        for lam in LAMS:
            curve = bc.backdoor_learning_curve(SVC(C=1 / lam, gamma=gamma), data, shared=shared)
            clean, asr = curve.accuracy("clean", 1.0), curve.accuracy("triggered", 1.0)
            trials.append(Trial("patch on 4, 9", "RBF SVM", {"lambda": lam, "gamma": gamma}, seed, clean, asr))

# %%
# **Safe** is: clean accuracy within .02 of the learner's best, and an attack success rate of .2 at most, in the mean
# over seeds.

(region,) = safe_regions(trials, Bounds(margin=0.02, asr=0.2))
figure, axes = plt.subplots(1, 2, figsize=(9, 3.9), layout="constrained", sharey=True)
for ax, title in zip(axes, ("clean accuracy", "attack success rate"), strict=True):
    values = [s.clean_accuracy if title == "clean accuracy" else s.asr for s in region.settings]
    image = np.reshape(values, (len(GAMMAS), len(LAMS)))
    low = 0.9 if title == "clean accuracy" else 0.0
    shown = ax.imshow(image, vmin=low, vmax=1.0, cmap="viridis" if low else "magma_r", origin="lower")
    ax.set_xticks(range(len(LAMS)), [f"{lam:.2g}" for lam in LAMS])
    ax.set_yticks(range(len(GAMMAS)), [f"{gamma:.2g}" for gamma in GAMMAS])
    ax.set(xlabel="λ", title=title)
    figure.colorbar(shown, ax=ax, shrink=0.9)
    gammas, lams = np.nonzero(np.reshape([s.safe for s in region.settings], image.shape))
    ax.plot(lams, gammas, "o", color="white", markeredgecolor="black", markersize=9, linestyle="none")
axes[0].set_ylabel("γ")
plt.show()

# %%
# Who picks the best of many settings and reports its numbers reports luck, too. So each seed is left out once, the
# setting is chosen on the others, and what it comes to on the one left out is the honest estimate.

print(f"safe: {len(region.safe)} of {len(region.settings)} settings")
print(f"chosen: lambda = {region.chosen.lam:.3g}, gamma = {region.chosen.gamma:.3g}")
print(f"as it was chosen: clean {region.chosen.clean_accuracy:.3f}, ASR {region.chosen.asr:.3f}")
print(f"left out:         clean {region.held_out_clean_accuracy:.3f}, ASR {region.held_out_asr:.3f}")
