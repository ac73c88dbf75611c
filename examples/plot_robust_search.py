"""
Search for a setting that resists, and prove what it holds
===========================================================

``GridSearchCV`` with attacks: each training fold is poisoned, and the most accurate setting is taken of those that
give the attacker few rows. What no attack can do at a setting is proved beside it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.svm import SVC

import backdoor_curves as bc

rng = np.random.default_rng(0)
train, test = bc.datasets.digits((4, 9), rng=rng)
(X, y), (T, asked) = ((part.X.reshape(len(part), -1), part.y) for part in (train, test))
patch = bc.Attack(bc.PatchTrigger.random(size=3, n_classes=2, channels=1, rng=rng), name="patch")
blend = bc.Attack(bc.BlendTrigger(rng.random((8, 8, 1)), opacity=0.2), labels=0, name="blend")

# %%
# The same words as ever, and three more: which attacks, at which rates, and that rows are images to them.

search = bc.RobustSearchCV(
    SVC(),
    {"C": np.geomspace(0.03, 30, 7).tolist(), "gamma": [0.01, 0.05]},
    attacks=[patch, blend],
    rates=0.1,
    asr=0.2,
    cv=3,
    image_shape=(8, 8, 1),
    random_state=0,
).fit(X, y)
print(search.verdict_)
bc.RobustSearchDisplay.from_search(search)
plt.show()

# %%
# **What is proved** needs no attack: how many appended rows, whatever they are, each prediction holds. Below the line
# no attack can get; the dashed one is what copies of the test rows, with the other label, leave. The truth lies
# between.

some = T[:60], asked[:60]
machine = SVC(C=0.03, gamma=0.05)
certificate = bc.certify(machine, (X, y), some)
needed = bc.copies_needed(machine, (X, y), some, limit=20)
bc.CertificateDisplay.from_certificate(certificate, attacked=needed, most=20)
plt.show()

# %%
# A smaller C proves more, and costs more.

for C in (0.03, 0.1, 0.3):
    found = bc.certify(SVC(C=C, gamma=0.05), (X, y), (T, asked))
    print(f"C = {C}: right {found.share(0):.3f}, certified against 1 row {found.share(1):.3f}, 3 {found.share(3):.3f}")
