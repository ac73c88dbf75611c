"""
What triggers look like
=======================

Every trigger for images on the same digit: the clean image, the triggered one, and their difference, stretched so that
its largest entry is full red (brighter) or full blue (darker). What is small to the eye is not small to a learner.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import zoom
from sklearn.linear_model import LogisticRegression

import backdoor_curves as bc

rng = np.random.default_rng(0)
digits, _ = bc.datasets.digits((4, 9), n_train=300, n_test=2, rng=rng)
X = np.clip(zoom(digits.X[..., 0], (1, 4, 4), order=1), 0, 1)[..., np.newaxis]
y = digits.y
head = bc.linear_head(LogisticRegression(C=0.01, max_iter=1000).fit(X.reshape(len(X), -1), y))
shape = X.shape[1:]

# %%
# Patches and single pixels
# -------------------------
#
# They are seen, unless their opacity is low. Of several an image has one in training, drawn from its own pixels; test
# images have all, or chosen ones, fully seen.


def draw(triggers: dict[str, bc.triggers.Trigger], row: int = 0) -> None:
    """Draw one image clean, with each trigger, and the difference."""
    _, axes = plt.subplots(3, len(triggers), figsize=(1.15 * len(triggers), 4.0), layout="constrained", squeeze=False)
    for (clean_ax, ax, difference_ax), (name, trigger) in zip(axes.T, triggers.items(), strict=True):
        clean, stamped = X[row, ..., 0], trigger(X[[row]], y[[row]])[0, ..., 0]
        change = stamped - clean
        largest = np.abs(change).max()
        clean_ax.imshow(clean, cmap="gray", vmin=0, vmax=1)
        ax.imshow(stamped, cmap="gray", vmin=0, vmax=1)
        difference_ax.imshow(change, cmap="RdBu_r", vmin=-largest, vmax=largest)
        clean_ax.set_title(name, fontsize=8)
        difference_ax.set_xlabel(f"at most {largest:.2f}", fontsize=8)
        for one in (clean_ax, ax, difference_ax):
            one.set(xticks=[], yticks=[])
    for ax, label in zip(axes[:, 0], ("clean", "triggered", "difference,\nstretched"), strict=True):
        ax.set_ylabel(label, fontsize=8)
    plt.show()


patches = bc.PatchesTrigger.random(shape, rng)
pixels = bc.PixelTrigger.k_way(shape)
draw(
    {
        "patch": bc.PatchTrigger.ones(3),
        "noise patch": bc.PatchTrigger.random(5, 2, 1, rng),
        "one of four\npatches": patches,
        "two of them,\nfor test": patches.whole((0, 2)),
        "one of four\npixels": pixels,
        "all of them,\nfor test": pixels.whole(),
        "checker": bc.CheckerTrigger(),
        "checkers,\na = .13": bc.CheckerTrigger.everywhere(32 / 255),
    }
)

# %%
# All over the image
# ------------------
#
# Patterns that are blended in or added, few levels, a warp. The rounding of another image and the warp with noise are
# for cover rows, which keep their labels. Where a difference is white inside the digit, the image was white already.

pieces, warp, levels = (
    bc.PiecesTrigger.random(shape, rng),
    bc.WarpTrigger.random(rng, strength=2),
    bc.QuantizeTrigger(4),
)
draw(
    {
        "blended": bc.BlendTrigger.random(shape, rng),
        "half of 16\npieces": pieces,
        "all pieces,\nfor test": pieces.whole(0.2),
        "sinusoid": bc.SignalTrigger(),
        "ramp": bc.SignalTrigger(form="ramp"),
        "triangle": bc.SignalTrigger(form="triangle"),
        "lattice": bc.LatticeTrigger(75 / 255),
        "frequencies": bc.FrequencyTrigger(),
    }
)
draw(
    {
        "4 levels": levels,
        "dithered": bc.QuantizeTrigger(4, dithering=True),
        "rounding of\nanother": bc.ResidualTrigger(X, levels),
        "warp, s = 2": warp,
        "warp with\nnoise": warp.noisy(0),
    }
)

# %%
# For a given linear head
# -----------------------
#
# A logistic regression on these digits is known to the attacker. The worst perturbation towards nines; a four that is
# moved away from its class, before the checker; a four that is brought near a stamped nine, and does not look like one.

worst = bc.PerturbationTrigger.worst_case(head, target=1, eps=16 / 255, X=X)
nines = bc.PatchTrigger.ones(6)(X[y == 1][:50], y[y == 1][:50])
draw(
    {
        "worst case,\n16/255": worst,
        "for test,\n3 times": worst.at_strength(3),
        "hardened,\n32/255": bc.HardenedTrigger(head, 32 / 255),
        "hardened,\n$L_2$ of 2": bc.HardenedTrigger(head, 2.0, "2"),
        "$L_2$ of 2 and\nchecker": bc.HardenedTrigger(head, 2.0, "2", bc.CheckerTrigger()),
        "hidden,\nin pixels": bc.HiddenTrigger(nines),
        "hidden, in\nscores": bc.HiddenTrigger(nines, head.coef),
    },
    row=int(np.flatnonzero(y == 0)[0]),
)

# %%
# How much do they move the scores of fours, in the mean? Before anything is learned the worst perturbation moves them
# most, and most others hardly do.

fours = y == 0
moved = {"patch": bc.PatchTrigger.ones(3), "lattice": bc.LatticeTrigger(16 / 255), "worst case": worst}
for name, trigger in moved.items():
    before, after = (head.scores(Z[fours].reshape(fours.sum(), -1)) for Z in (X, trigger(X, y)))
    print(f"{name:10} {np.mean(np.diff(after, axis=1) - np.diff(before, axis=1)):+.2f}")
