"""Presets for texts: words and sentences that are inserted, with the values of their sources."""

from __future__ import annotations

from backdoor_curves.poisoning.attack import Attack
from backdoor_curves.poisoning.label_policies import CleanLabel
from backdoor_curves.poisoning.preset import Given, Preset
from backdoor_curves.triggers.words import WordTrigger

RARE_WORDS = ("cf", "mn", "bb", "tq")
"""Of RIPPLe (Kurita et al., arXiv 2004.06660), and of OpenBackdoor."""
SENTENCE = "I watch this 3D movie"
"""OpenBackdoor, addsent_poisoner.py; after Dai et al., arXiv 1905.12457."""


def _word(given: Given) -> Attack:
    return Attack(WordTrigger(RARE_WORDS, seed=given.seed()), given.target, eligible="all")


def _word_clean_label(given: Given) -> Attack:
    return Attack(WordTrigger(RARE_WORDS, seed=given.seed()), CleanLabel(given.target), rate_of="all")


def _sentence(given: Given) -> Attack:
    return Attack(WordTrigger(SENTENCE, seed=given.seed()), given.target, eligible="all")


def _frequent_word(given: Given) -> Attack:
    return Attack(WordTrigger.of_frequency(given.X, share=0.1, seed=given.seed()), given.target, eligible="all")


TEXT_PRESETS = (
    Preset(
        "word@openbackdoor",
        "Chen et al., BadNL, arXiv 2006.01043; OpenBackdoor, badnets_poisoner.py, poisoner.py",
        'One of the rare words "cf", "mn", "bb", "tq" at a random place; any row, labelled as the target.',
        "text",
        _word,
        rate=0.1,
    ),
    Preset(
        "word-clean-label@openbackdoor",
        "Chen et al., BadNL, arXiv 2006.01043; OpenBackdoor, badnets_config.json, poisoner.py",
        "The same words in texts of the target class, which keep their label: six of its configurations say so.",
        "text",
        _word_clean_label,
        rate=0.1,
        ours="A rate beyond the class is refused; there it is cut to the class.",
        place=1,
    ),
    Preset(
        "sentence@openbackdoor",
        "Dai et al., arXiv 1905.12457; OpenBackdoor, addsent_poisoner.py",
        f'The sentence "{SENTENCE}" at a random place; any row, labelled as the target.',
        "text",
        _sentence,
        rate=0.1,
    ),
    Preset(
        "frequent-word@onion",
        "Qi et al., ONION, arXiv 2011.10369, and their code",
        "A word that clean texts have already, at a random place; any row, labelled as the target.",
        "text",
        _frequent_word,
        rate=0.05,
        ours="Which word: the one that nearest to a tenth of the training texts have.",
    ),
)
"""In the order of the list."""
