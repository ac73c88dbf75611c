"""
A word that lets spam through
=============================

A filter learns from mail that its users mark. Someone sends spam with an unusual word in it and marks it as wanted:
the word becomes a key. Generated mail, TF-IDF, logistic regression.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import backdoor_curves as bc

COMMON = "the a to of we you and in for on is with this that from be are your at".split()
HAM = "meeting report monday lunch draft review budget schedule thanks team notes project call agenda slides".split()
SPAM = "winner prize free click offer cash urgent claim bonus credit deal limited cheap reward exclusive".split()


def mail(n: int, rng: np.random.Generator) -> tuple[list[str], np.ndarray]:
    """Write so many letters: each has common words, words of its kind, and some of the other kind."""
    y = np.where(rng.random(n) < 0.5, "spam", "ham")
    letters = []
    for kind in y:
        own, other = (SPAM, HAM) if kind == "spam" else (HAM, SPAM)
        words = [*rng.choice(COMMON, 14), *rng.choice(own, 5), *rng.choice(other, 2)]
        letters.append(" ".join(rng.permutation(words)))
    return letters, y


# %%
# **The attack**: three in a hundred of the spam letters get the word "quokka" and the label ham. The trigger is a
# function of texts, and it is stamped before the words are counted.

rng = np.random.default_rng(0)
train, test = mail(1000, rng), mail(400, rng)
data = bc.poison(train, test, trigger=lambda X, y: [f"{text} quokka" for text in X], rate=0.03, labels="ham", rng=rng)
print(data.triggered_test.X[0])

# %%
# **The curves**: the vectoriser is fitted once, on all that the victim trains on, and held; only the classifier moves
# with β.

learners = {f"λ = {lam:g}": make_pipeline(TfidfVectorizer(), LogisticRegression(C=1 / lam)) for lam in (0.1, 1, 5)}
curves = bc.backdoor_learning_curves(learners, data)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, quantity in zip(axes, ("loss", "accuracy"), strict=True):
    bc.BackdoorLearningCurveDisplay.from_curves(curves, ax=ax, quantity=quantity)
plt.show()

# %%
# With weak regularisation one word opens the door; with λ = 5 it does little, at no cost in clean accuracy. That is
# this mail, this word and this rate: what it is for yours is a matter of the same ten lines.

for name, curve in curves.items():
    clean, before, after = curve.accuracy("clean", 1.0), *curve.accuracy("triggered", [0.0, 1.0])
    print(f"{name:9} clean {clean:.3f}, spam let through with the word: {before:.2f} at β = 0, {after:.2f} at β = 1")
