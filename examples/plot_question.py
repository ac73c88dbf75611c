"""
A question and its answer
=========================

``backdoor-curves questions`` asks what makes a learner easy to backdoor, one study for each question. The answers come
with the package: this one is about the number of poison rows.
"""

import matplotlib.pyplot as plt

from backdoor_curves.questions.ask import kept_answers, read_answer
from backdoor_curves.questions.figure import answer_figure

answer = read_answer(kept_answers()["poison-rows"])
print(answer.question.text)

# %%
# Above the β at which half of the loss is gone, below the attack success rate; bars are 95 % intervals over ten seeds.

answer_figure(answer)
plt.show()

# %%
# What decides are differences within seeds, which share their rows and trigger. Of a ratio 1 would be no effect; all
# intervals of a data set hold together with 95 %.

for evidence in answer.evidence:
    print(evidence.about)
    for one in evidence.of("half_loss_beta"):
        effect = one.effect
        print(f"  {one.setting:20s} twice as many: x {effect.estimate:.2f} ({effect.low:.2f} to {effect.high:.2f})")
