"""What the page says in words: verdicts with their numbers, settings, shares."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from backdoor_curves.report.page.content import Content, Region, ShownLearner, ShownScenario
from backdoor_curves.report.region_words import region_words
from backdoor_curves.search.safe_region import ROUNDING, JudgedSetting
from backdoor_curves.study.plan import names
from backdoor_curves.study.plan.scenario import Learner, Scenario

Kind = Literal["resists", "safe", "average", "unsafe", "unknown"]
LABELS: dict[Kind, str] = {
    "resists": "resists as it is",
    "safe": "has a safe region",
    "average": "safe on average only",
    "unsafe": "no safe setting",
    "unknown": "not judged",
}
REFUSED = ("Cc", "Cf", "Cs")
"""Controls, marks without a shape (those that turn the direction of writing among them), halves of characters."""
AS_IT_IS = re.compile(r"(<(?:script|style|pre|code)\b.*?</(?:script|style|pre|code)>)", re.DOTALL)
TORN = re.compile(r"(?<=[0-9]) %")
MOST_DIGITS = 10
"""Behind the point of a share in per cent, where fewer would round it across a bound."""
MOST_SCENARIOS = 4
"""That the headline goes through one by one."""
LONGEST = 600
"""Characters of a text from outside that are shown."""


@dataclass(frozen=True)
class Verdict:
    """What is to be said of a learner in a scenario: its kind, the claim, and the sentences with the numbers."""

    kind: Kind
    claim: str
    grounds: tuple[str, ...]

    @property
    def label(self) -> str:
        """The kind in two or three words."""
        return LABELS[self.kind]


def shown(words: object, longest: int = LONGEST) -> str:
    """Return a text from outside as it may stand on a page.

    Without control characters, and not too long; what is written from right to left is set apart, so that it turns
    nothing beside it round.

    Examples
    --------
    >>> from backdoor_curves.report.page.words import shown
    >>> shown("a\\x00b"), shown("abcdef", 3)
    ('a�b', 'abc … (3 more characters)')
    """
    text = str(words)
    clean = "".join("�" if unicodedata.category(c) in REFUSED and c not in "\n\t" else c for c in text[:longest])
    if len(text) > longest:
        clean = f"{clean} … ({len(text) - longest} more characters)"
    leftwards = any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for c in clean)
    return f"\u2068{clean}\u2069" if leftwards else clean


def learner_title(learner: Learner) -> str:
    """Return a learner as a title has it, fit for a page."""
    return shown(names.learner_title(learner), 120)


def percent(share: float | None, digits: int = 1, bound: float | None = None) -> str:
    """Return a share in per cent, with a narrow space; a dash for none.

    With a bound that it is held against: in more digits where fewer would show it on the other side.

    Examples
    --------
    >>> from backdoor_curves.report.page.words import percent
    >>> percent(0.2004), percent(0.2004, bound=0.2), percent(0.2, bound=0.2)
    ('20.0\\u202f%', '20.04\\u202f%', '20.0\\u202f%')
    """
    return "–" if share is None or share != share else f"{_rounded(share, digits, bound)}\u202f%"


def unbroken(page: str) -> str:
    """Return a page on which no per cent sign is torn from its number; code, which is copied, stays as it is.

    Examples
    --------
    >>> from backdoor_curves.report.page.words import unbroken
    >>> unbroken("<p>at most 20 % <code>5 % 3</code></p>")
    '<p>at most 20\\u202f% <code>5 % 3</code></p>'
    """
    parts = AS_IT_IS.split(page)  # every other one is as it is
    parts[::2] = [TORN.sub("\u202f%", part) for part in parts[::2]]
    return "".join(parts)


def points(share: float, bound: float) -> str:
    """Return a difference of shares in percentage points, in as many digits as tell whether it is within a bound.

    Examples
    --------
    >>> from backdoor_curves.report.page.words import points
    >>> points(0.01, 0.02), points(0.02, 0.02), points(0.0200334, 0.02)
    ('1.0 point', '2.0 points', '2.003 points')
    """
    value = _rounded(share, 1, bound)
    return f"{value} point" if value == "1.0" else f"{value} points"


def _rounded(share: float, digits: int, bound: float | None) -> str:
    """Return a share in hundredths, rounded, but not across the bound."""
    if bound is not None:
        within = share <= bound + ROUNDING
        while digits < MOST_DIGITS and (round(100 * share, digits) <= 100 * (bound + ROUNDING)) != within:
            digits += 1
    return f"{100 * share:.{digits}f}"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number in so many digits, up to a million without a power; a dash for none.

    Examples
    --------
    >>> from backdoor_curves.report.page.words import number
    >>> number(1668.1), number(5.99e-5), number(None)
    ('1670', '5.99e-05', '–')
    """
    return "–" if value is None or value != value else f"{float(f'{value:.{digits}g}'):g}"


def value(found: Any, digits: int = 3) -> str:
    """Return a value of a hyperparameter as a page has it: fractions in so many digits, words fit for it.

    Examples
    --------
    >>> from backdoor_curves.report.page.words import value
    >>> value(1 / 3), value(100000), value("<b>\\x00")
    ('0.333', '100000', '<b>�')
    """
    if isinstance(found, float):
        return names.value_name(float(number(found, digits)))
    return shown(names.value_name(found), 120)


def setting_name(setting: JudgedSetting) -> str:
    """Return the hyperparameters of a setting, so that no number is torn from its name."""
    rounded = {_name(name): value(found) for name, found in setting.hyperparameters.items()}
    return names.setting_name(rounded).replace(" = ", "\u00a0=\u00a0")


@lru_cache(maxsize=1000)  # of few hyperparameters, thousands of times
def _name(hyperparameter: str) -> str:
    return shown(hyperparameter, 120)


def scenario_name(scenario: Scenario, among: Sequence[Scenario]) -> str:
    """Return what tells a scenario from the others, and its rate."""
    return ", ".join([*_parts(scenario, names.telling(among)), rate_name(scenario.rate)])


def rate_name(rate: float) -> str:
    """Return a rate in per cent, so that no number is torn from its name.

    Examples
    --------
    >>> from backdoor_curves.report.page.words import rate_name
    >>> rate_name(0.0004)
    'p\\xa0=\\xa00.04\\u202f%'
    """
    return f"p\u00a0=\u00a0{100 * rate:.3g}\u202f%"


def scenario_rest(scenario: Scenario, among: Sequence[Scenario]) -> str:
    """Return what a scenario has in common with the others."""
    told = names.telling(among)
    return " · ".join(_parts(scenario, [name for name in names.scenario_words(scenario) if name not in told]))


def _parts(scenario: Scenario, which: Sequence[str]) -> list[str]:
    said = names.words_of(scenario, which)
    return [shown(names.with_its_name(name, word), 120) for name, word in said.items()]


def verdict(learner: ShownLearner) -> Verdict:
    """Return what is to be said of a learner in a scenario."""
    region = learner.region
    name = learner_title(learner.learner)
    best, chosen = region.best, region.chosen
    if best is None:
        return Verdict("unknown", f"{name} is not judged.", ("None of its cells is done.",))
    at_best = (
        f"Its best clean accuracy is {percent(best.clean_accuracy)} ({setting_name(best)}); "
        f"there the attacker gets {_attacked(learner, best)} of the triggered rows."
    )
    if chosen is None:
        return Verdict("unsafe", f"{name} has no safe setting here.", (at_best, *_costs(learner)))
    above = _above(learner, chosen)
    doubt = (*above, *_count(region), *_where(region), *_held_out(region))
    if chosen is best:
        claim = f"{name} resists here: its most accurate setting is safe{' on average' if above else ''}."
        return Verdict("average" if above else "resists", claim, (at_best, *doubt))
    gap = best.clean_accuracy - chosen.clean_accuracy  # under 5e-4 it would read 0.0 points
    at_chosen = (
        f"Its most accurate safe setting is {setting_name(chosen)}: clean accuracy {percent(chosen.clean_accuracy)}, "
        + ("as good as the best" if gap < 5e-4 else f"{points(gap, region.bounds.margin)} under the best")
        + f", and an ASR of {_attacked(learner, chosen)}."
    )
    claim = f"{name} has {'settings that are safe on average' if above else 'safe settings'} here."
    return Verdict("average" if above else "safe", claim, (at_chosen, at_best, *doubt))


def _attacked(learner: ShownLearner, setting: JudgedSetting) -> str:
    """Return the attack success rate of a setting, and what of it are mistakes that need no poison."""
    shown_one = learner.of(setting)
    without = None if shown_one is None else shown_one.mean("asr_at_0")
    asr = percent(setting.asr, bound=learner.region.bounds.asr)
    return asr if without is None else f"{asr} ({percent(without)} without any poison)"


def _above(learner: ShownLearner, setting: JudgedSetting) -> tuple[str, ...]:
    """Say where a setting that is safe on average is not safe on every seed."""
    one, bound = learner.of(setting), learner.region.bounds.asr
    highest = None if one is None or "asr_at_1" not in one.numbers else one.numbers["asr_at_1"].high
    if highest is None or highest <= bound + ROUNDING:
        return ()
    return (f"On one seed or more its ASR is above the bound, up to {percent(highest, bound=bound)}.",)


def _costs(learner: ShownLearner) -> tuple[str, ...]:
    """Say what resistance would cost where no setting is safe."""
    region = learner.region
    tried, bound = _tried(region), f"{100 * region.bounds.asr:g}\u202f%"
    cheapest, least = region.cheapest, region.least_attacked
    assert region.best is not None
    assert least is not None
    if cheapest is None:
        lowest = _attacked(learner, least)
        return (
            f"Of the {tried} tried none keeps the ASR at or under {bound}: the lowest is "
            f"{lowest}, at {setting_name(least)} and a clean accuracy of {percent(least.clean_accuracy)}.",
        )
    asr = _attacked(learner, cheapest)
    cost = points(region.best.clean_accuracy - cheapest.clean_accuracy, region.bounds.margin)
    return (
        f"Of the {tried} tried none is safe: the most accurate with an ASR at or under {bound} is "
        f"{setting_name(cheapest)}, with {asr}, and it costs {cost} of clean accuracy.",
    )


def _count(region: Region) -> tuple[str]:
    if len(region.settings) == 1:
        return ("It is the only setting that was tried.",)
    are = "is" if len(region.safe) == 1 else "are"
    return (f"{len(region.safe)} of the {_tried(region)} tried {are} safe.",)


def _where(region: Region) -> tuple[str, ...]:
    """Say where the region lies along each hyperparameter; of a learner with a lambda its map shows it."""
    if len(region.settings) == 1 or "lambda" in region.settings[0].hyperparameters:
        return ()
    return (f"Safe along each hyperparameter: {'; '.join(shown(words) for words in region_words(region))}.",)


def _tried(region: Region) -> str:
    return _count_of("setting", sum(setting.judged for setting in region.settings))


def _held_out(region: Region) -> tuple[str, ...]:
    """Say what choosing on the other seeds comes to."""
    if not region.left_out:
        return ("With one seed this cannot be checked on another.",)
    chose = [one.chosen for one in region.left_out if one.chosen is not None]
    if not chose:
        return ("With any seed left out the others find no safe setting: take it with care.",)
    kept = sum(one.safe for one in region.left_out)
    chosen = [setting for one in chose for setting in region.settings if setting.hyperparameters == one]
    settings = " or ".join(dict.fromkeys(map(setting_name, chosen)))
    return (
        f"Chosen without one of the seeds ({settings}) and tested on that one, it has a clean accuracy of "
        f"{percent(region.held_out_clean_accuracy)} and an ASR of {percent(region.held_out_asr)} on average, and is "
        f"safe on {kept} of {_count_of('seed', len(region.left_out))}.",
    )


def _count_of(what: str, count: int) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def headline(content: Content) -> str:
    """Return the answer for the whole run in a sentence or two."""
    judged = [learner for scenario in content.scenarios for learner in scenario.learners if learner.region.best]
    if not judged:
        return "No cell is done, so nothing can be said yet."
    with_safe = [learner for learner in judged if learner.region.safe]
    if len(judged) == 1:
        return f"{learner_title(judged[0].learner)} {'has a' if with_safe else 'has no'} safe setting."
    scenarios = [one.scenario for one in content.scenarios]
    several = len(scenarios) > 1
    cases = _count_of("learner", len({learner.learner for learner in judged}))
    if several:
        cases = f"{len(judged)} cases ({cases}, {len(content.scenarios)} scenarios)"
    if not with_safe:
        return f"None of the {cases} has a safe setting: wherever a learner is accurate, it is backdoored."
    have = "has" if len(with_safe) == 1 else "have"
    if several and len(content.scenarios) <= MOST_SCENARIOS:
        each = "; ".join(_safe_in(one, scenarios) for one in content.scenarios)
        return f"{len(with_safe)} of the {cases} {have} a safe setting. {each}."
    found: dict[Learner, list[Scenario]] = {}
    for one in with_safe:
        found.setdefault(one.learner, []).append(one.region.scenario)
    said = []
    for learner, where in sorted(found.items(), key=lambda pair: -len(pair[1])):
        tried = sum(one.learner == learner for one in judged)
        at = f" ({scenario_name(where[0], scenarios)})" if len(with_safe) == 1 else f" ({len(where)} of {tried})"
        said.append(learner_title(learner) + (at if several else ""))
    return f"{len(with_safe)} of the {cases} {have} a safe setting: {', '.join(said)}."


def _safe_in(one: ShownScenario, among: Sequence[Scenario]) -> str:
    """Return which learners have a safe setting in a scenario."""
    judged = [learner for learner in one.learners if learner.region.best]
    safe = [learner_title(learner.learner) for learner in judged if learner.region.safe]
    which = "none" if not safe else "all" if len(safe) == len(judged) > 1 else ", ".join(safe)
    return f"{scenario_name(one.scenario, among)}: {which}"
