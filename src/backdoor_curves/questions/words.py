"""An answer in sentences: every word that depends on a number is made from it."""

from __future__ import annotations

from collections.abc import Sequence

from backdoor_curves.questions.answer import LEVEL, Answer, Contrast, Evidence
from backdoor_curves.questions.effects import Effect

NAMES = {
    "half_loss_beta": "the half-loss β",
    "asr_at_1": "the attack success rate",
    "clean_accuracy_at_1": "clean accuracy",
}
EASIER = {"half_loss_beta": -1, "asr_at_1": 1}
"""The sign of an effect on a measure that decides which means that the backdoor is easier to learn."""


def answer_sentences(answer: Answer) -> tuple[str, str]:
    """Return the answer in two sentences: what decides, and what else moves and whether it holds on other data.

    Of several settings each number stands for itself where there is one step, and their common range where there are
    several: every interval lies in it.
    """
    question, first = answer.question, answer.first
    decides = first.of(question.measure)
    name = NAMES[question.measure]
    if not decides:
        return f"{_capital(name)} cannot be compared: some cells have none.", ""
    if first.numbers:
        each = ", ".join(f"{effect_words(one.effect)}{f' for {one.setting}' if one.setting else ''}" for one in decides)
        said = f"Doubling {question.of} makes the backdoor {verdict(decides)}: {name} {_changes(decides)} {each}"
    else:
        steps = [(level, [one for one in decides if one.level == level]) for level in first.levels[1:]]
        parts = [f"{level} is {verdict(found)}: {range_words(found)}" for level, found in steps if found]
        said = f"Against {first.levels[0]}, by {name}, {'; '.join(parts)}"
    return f"{said}{_notes(decides, first)}.", _second(answer)


def verdict(found: Sequence[Contrast]) -> str:
    """Return whether the backdoor is easier or harder to learn, for how many settings.

    Examples
    --------
    >>> from backdoor_curves.questions.answer import Contrast
    >>> from backdoor_curves.questions.effects import Effect
    >>> from backdoor_curves.questions.words import verdict
    >>> less, open_ = Effect(0.5, 0.4, 0.6, 1e-6, 10, True), Effect(0.9, 0.7, 1.2, 0.3, 10, True)
    >>> verdict([Contrast("Ridge", "", "half_loss_beta", less, 0, True)])
    'easier'
    >>> verdict([Contrast(name, "", "half_loss_beta", one, 0, True) for name, one in (("a", less), ("b", open_))])
    'easier for 1 of 2 learners, not decided for 1'
    """
    signs = [one.effect.sign * EASIER[one.measure] for one in found]
    counts = {"easier": signs.count(1), "harder": signs.count(-1), "not decided": signs.count(0)}
    some = {word: count for word, count in counts.items() if count}
    if len(some) == 1:
        (word,) = some
        word = "neither easier nor harder, as far as is decided" if word == "not decided" else word
        return word if len(found) == 1 else f"{word}, for all {len(found)} learners"
    (word, count), *others = some.items()
    first = f"{word} for {count} of {len(found)} learners"
    return ", ".join([first, *(f"{word} for {count}" for word, count in others)])


def effect_words(effect: Effect) -> str:
    """Return an effect with its interval: "× 0.45 (0.4 to 0.5)", or "+3.1 points (+2 to +4.2)".

    Examples
    --------
    >>> from backdoor_curves.questions.effects import Effect
    >>> from backdoor_curves.questions.words import effect_words
    >>> effect_words(Effect(0.452, 0.4, 0.5, 1e-6, 10, True)), effect_words(Effect(0.031, 0.02, 0.042, 1e-6, 10, False))
    ('× 0.45 (0.4 to 0.5)', '+3.1 points (+2 to +4.2)')
    """
    if effect.is_ratio:
        return f"× {_ratio(effect.estimate)} ({_ratio(effect.low)} to {_ratio(effect.high)})"
    return f"{_points(effect.estimate)} points ({_points(effect.low)} to {_points(effect.high)})"


def range_words(found: Sequence[Contrast]) -> str:
    """Return the range of the intervals of some effects, or the one effect."""
    if len(found) == 1:
        return effect_words(found[0].effect)
    low, high = min(one.effect.low for one in found), max(one.effect.high for one in found)
    if found[0].effect.is_ratio:
        return f"× {_ratio(low)} to {_ratio(high)}"
    return f"{_points(low)} to {_points(high)} points"


def held_words(answer: Answer) -> str:
    """Return whether what is decided holds on each other data set, and what is decided there beyond."""
    if len(answer.evidence) < 2:
        return "there is no second data set"
    return "; ".join(f"on {other.data} {_held(*answer.held(other))}" for other in answer.evidence[1:])


def held_in_a_word(answer: Answer) -> str:
    """Return "yes", "3 of 4", "no", "not asked", or that nothing is decided that could hold."""
    if len(answer.evidence) < 2:
        return "not asked"
    held, decided = answer.held(answer.evidence[1])
    if not decided:
        return "nothing decided"
    return "yes" if held == decided else f"{held} of {decided}" if held else "no"


def method_words(evidence: Evidence) -> str:
    """Return how the intervals of a data set were made."""
    return (
        f"Each effect is the mean over {evidence.seeds} seeds of differences within a seed (the same rows, trigger and "
        f"poison as far as the axis lets them), with Student's interval; all {len(evidence.contrasts)} intervals of "
        f"this data set hold together with {LEVEL:.0%} (Bonferroni). Seeds redraw rows of one data set: intervals are "
        "about other draws of it, not about other data."
    )


def _second(answer: Answer) -> str:
    """Return what the other measures do, and what other data say."""
    moved = [
        f"{NAMES[measure]} {_changes(found)} {range_words(found)}"
        for measure in NAMES
        if measure != answer.question.measure and (found := answer.first.of(measure))
    ]
    return f"{_capital('; '.join([' and '.join(moved), held_words(answer)] if moved else [held_words(answer)]))}."


def _changes(found: Sequence[Contrast]) -> str:
    return "changes by" if found[0].effect.is_ratio else "moves by"


def _held(held: int, decided: int) -> str:
    if not decided:
        return "there is nothing to hold"
    every = {1: "the effect holds", 2: "both effects hold"}.get(decided, f"all {decided} effects hold")
    return every if held == decided else f"{held} of {decided} effects hold" if held else "it does not hold"


def _notes(decides: Sequence[Contrast], first: Evidence) -> str:
    """Return what must be said with the effects: which go up and down along the axis, and which are bounds."""
    notes = []
    for one in decides if first.numbers else ():
        if not one.is_monotone:
            whom = f" for {one.setting}" if len(first.settings) > 1 else ""
            notes.append(f"up and down along the axis{whom}, easiest at {_easiest(first, one)}")
    if any(one.n_never for one in decides):
        never = sum({one.setting: one.n_never for one in decides}.values())
        notes.append(
            f"{never} of {first.cells} curves never fall to half and count as β = 1, so effects are as a rule larger "
            "than said"
        )
    return f" ({'; '.join(notes)})" if notes else ""


def _easiest(first: Evidence, one: Contrast) -> str:
    """Return the level at which the mean of what decides is the most a backdoor can wish for."""
    means = [mean for mean in first.means if (mean.setting, mean.quantity) == (one.setting, one.measure)]
    return max(means, key=lambda mean: EASIER[one.measure] * mean.mean).level


def _ratio(value: float) -> str:
    """Return a ratio in two digits, and near 1 in three."""
    return f"{value:.3g}" if 0.9 < value < 1.1 else f"{float(f'{value:.2g}'):g}"


def _points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    points = float(f"{100.0 * share:.2g}") + 0.0
    return f"{points:+g}" if points else "0"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
