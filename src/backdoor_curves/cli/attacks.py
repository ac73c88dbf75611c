"""The command on attacks by name: a list, all about one, and a page that draws them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backdoor_curves.cli.shared import as_given

if TYPE_CHECKING:
    from backdoor_curves.poisoning.preset import Preset
    from backdoor_curves.report.page.attacks import ShownAttack

PAGE = "attacks.html"
WIDTH = 100
NAME, RATE, FACT = 36, 7, 11
"""Widths of columns: the longest name has 34 letters, the longest rate 5, the longest fact 9."""
SEED = 0
"""Of the patterns that the page shows."""


@click.command()
@click.argument("name", required=False)
@click.option("--kind", type=click.Choice(["image", "text", "table"]), help="Attacks on such rows alone.")
@click.option("--out", type=click.Path(path_type=Path), help=f"Write a page that draws them; {PAGE} with --open.")
@click.option("--open", "show", is_flag=True, help="Write that page, and show it in the browser.")
def attacks(name: str | None, kind: str | None, out: Path | None, show: bool) -> None:
    """List the attacks by name, or say all about NAME, such as sig@backdoorbench.

    Their values are those of the paper or the tool that they are named after. With --open a page shows what each does
    to a row: clean, stamped, and the difference, stretched.
    """
    import webbrowser

    from backdoor_curves.poisoning.presets import presets

    chosen = [presets[name]] if name else [one for one in presets.values() if kind in (None, one.rows)]
    if out is None and not show:
        click.echo(_all_about(chosen[0]) if name else _listed(chosen))
        return
    path = out or Path(PAGE)
    _write_page(chosen, path)
    click.echo(f"{len(chosen)} attacks are in {path}" if not name else f"{name} is in {path}", err=True)
    if show and not webbrowser.open(path.absolute().as_uri()):
        click.echo(f"no browser was found; open {path} yourself", err=True)


def _listed(chosen: list[Preset]) -> str:
    """Return a block for each attack: name, rate, and beside them what it does and where its values come from."""
    lines = [f"{'name':{NAME}}{'rate':{RATE}}what it does; source"]
    for preset in chosen:
        beside = [*_wrapped(preset.about, WIDTH - NAME - RATE), *_wrapped(preset.source, WIDTH - NAME - RATE)]
        heads = [f"{preset.name:{NAME}}{_rate(preset):{RATE}}", *[" " * (NAME + RATE)] * len(beside)]
        lines += [head + text for head, text in zip(heads, beside, strict=False)]
    return "\n".join(lines)


def _all_about(preset: Preset) -> str:
    """Return what one attack does, where its values come from, what is ours, and how it is used."""
    lines = [preset.name, *_wrapped(preset.about, WIDTH), ""]
    for name, text in _facts(preset).items():
        first, *others = _wrapped(text, WIDTH - FACT)
        lines += [f"{name:{FACT}}{first}", *(" " * FACT + other for other in others)]
    return "\n".join([*lines, "", *_usage(preset)])


def _facts(preset: Preset) -> dict[str, str]:
    """Return what there is to say of an attack, and of what it becomes for rows that are at hand."""
    import numpy as np

    from backdoor_curves.poisoning.examples import example

    made = example(preset, np.random.default_rng(SEED)).attack
    return {
        "source": preset.source,
        "ours": preset.ours or "nothing",
        "rows": f"{preset.rows}, of {preset.n_classes} classes or more" + ", with a linear head" * preset.needs_head,
        "rate": f"{_rate(preset) if preset.rate else 'none in the source;'} of {_base(made)}",
        "labels": repr(made.labels),
        "training": repr(made.trigger),
        "test": repr(made.test_trigger) if made.test_trigger else "the same",
        "cover": repr(made.cover) if made.cover else "none",
        "injection": made.injection,
    }


def _usage(preset: Preset) -> list[str]:
    """Return five lines of Python, and one of a study file."""
    head = "head=head, " * preset.needs_head
    return [
        "In Python, with pairs (X, y) train and test:",
        *(["(head is bc.linear_head(fitted), of a linear classifier fitted on train)"] if preset.needs_head else []),
        "",
        "    import numpy as np",
        "    import backdoor_curves as bc",
        f'    attack = bc.presets["{preset.name}"].attack(train, {head}rng=np.random.default_rng(0))',
        f"    data = bc.poison(train, test, attack, rate={preset.rate or 0.1:g}, rng=np.random.default_rng(1))",
        "    curve = bc.backdoor_learning_curve(learner, data)",
        "",
        "In a study file:",
        "",
        f'    preset = "{preset.name}"',
    ]


def _write_page(chosen: list[Preset], path: Path) -> None:
    import numpy as np

    from backdoor_curves.poisoning.examples import example
    from backdoor_curves.records.npz import whole
    from backdoor_curves.records.targets import require_file
    from backdoor_curves.report.page.attacks import attacks_page

    require_file(path, PAGE)
    shown = [_shown(example(preset, np.random.default_rng(SEED))) for preset in chosen]
    with whole(path) as draft:
        draft.write_text(attacks_page(shown, as_given()), encoding="utf-8", newline="\n")


def _shown(example: Any) -> ShownAttack:
    """Return an example as the page takes it, which knows no attacks."""
    from backdoor_curves.report.page.attacks import ShownAttack, ShownRow

    preset = example.preset
    rows = tuple(ShownRow(row.role, row.true, row.label, row.before, row.after) for row in example.rows)
    rate = f"rate {preset.rate:g} of {_base(example.attack)}" if preset.rate else f"a rate of {_base(example.attack)}"
    return ShownAttack(preset.name, preset.rows, preset.about, preset.source, preset.ours, rate, rows)


def _rate(preset: Preset) -> str:
    return "-" if preset.rate is None else f"{preset.rate:g}"


def _base(attack: Any) -> str:
    """Return what a rate is a rate of."""
    if attack.rate_of == "all" or attack.eligible == "all":
        return "all rows"
    return "the target's rows" if attack.is_clean_label else "the rows whose label changes"


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
