"""Attacks by name: `presets["sig@backdoorbench"]` has the values of that tool, and says which of them are ours."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from backdoor_curves.poisoning.cover_presets import COVER_PRESETS
from backdoor_curves.poisoning.head_presets import HEAD_PRESETS
from backdoor_curves.poisoning.image_presets import IMAGE_PRESETS
from backdoor_curves.poisoning.preset import Preset
from backdoor_curves.poisoning.table_presets import TABLE_PRESETS
from backdoor_curves.poisoning.text_presets import TEXT_PRESETS


class UnknownPresetError(KeyError, ValueError):
    """A name that no preset has: a KeyError, as of any mapping, whose text is a sentence with the nearest names."""

    def __str__(self) -> str:
        return str(self.args[0])


class Presets(Mapping[str, Preset]):
    """Presets by name, in order, read-only.

    Examples
    --------
    >>> import backdoor_curves as bc
    >>> [name for name in bc.presets if name.startswith("sig")]
    ['sig@backdoorbench', 'sig@toolbox', 'sig-ramp@paper']
    >>> bc.presets["sig@backdoorbox"]
    Traceback (most recent call last):
    ...
    backdoor_curves.poisoning.presets.UnknownPresetError: presets: a name of an attack was expected, 'sig@backdoorbox' \
came; nearest are sig@backdoorbench, sig@toolbox, sig-ramp@paper
    """

    def __init__(self, *presets: Preset) -> None:
        self._by_name = {preset.name: preset for preset in presets}
        assert len(self._by_name) == len(presets)  # each name once

    def __getitem__(self, name: str) -> Preset:
        if name in self._by_name:
            return self._by_name[name]
        raise UnknownPresetError(
            f"presets: a name of an attack was expected, {name!r} came; nearest are {', '.join(self._nearest(name))}"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"<{len(self)} presets: {', '.join(self)}>"

    def _nearest(self, name: str) -> list[str]:
        """Return names of the same attack, from other sources, or else those that are spelt alike."""
        wanted = str(name).lower().partition("@")[0]
        attacks = list(dict.fromkeys(known.partition("@")[0] for known in self))
        alike = [a for a in attacks if a.startswith(f"{wanted}-")] if wanted in attacks else []
        near = [wanted, *alike] if wanted in attacks else difflib.get_close_matches(wanted, attacks, n=2, cutoff=0.0)
        return [known for known in self if known.partition("@")[0] in near]


presets = Presets(*IMAGE_PRESETS, *COVER_PRESETS, *HEAD_PRESETS, *TEXT_PRESETS, *TABLE_PRESETS)
"""Every preset by name."""
