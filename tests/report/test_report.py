"""The page as a file: what it says of whole, partial, failed and enormous runs, and what it leaves out."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image
from runs import DIGITS, HOSTILE, cell, made_up, numbers, real_run

from backdoor_curves.data.images import edges_of
from backdoor_curves.report import write_report
from backdoor_curves.report.page import explained
from backdoor_curves.report.page.content import Budget, content_of
from backdoor_curves.report.page.decision_pictures import decision_picture
from backdoor_curves.report.page.provenance import as_toml
from backdoor_curves.report.page.series import BETAS, TOLERANCE, series_of, thinned
from backdoor_curves.report.page.svg import Scale, axis_left, ticks
from backdoor_curves.report.page.words import headline, percent, points, shown, verdict
from backdoor_curves.search.safe_region import Bounds
from backdoor_curves.study.compute.cell import curve_as_bytes
from backdoor_curves.study.file.config import Study
from backdoor_curves.study.file.study_file import built_in_study, read_study

STUDIES = Path(__file__).parents[2] / "studies"


class Strict(HTMLParser):
    """Collects ids and text, and finds tags that are not closed in their order."""

    EMPTY = ("meta", "link", "br", "input", "img", "hr")

    def __init__(self, text):
        super().__init__()
        self.open, self.faults, self.ids, self.words = [], [], [], []
        self.feed(text)
        self.close()
        self.faults += self.open

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def page_of(run, tmp_path, **options):
    path = write_report(run, tmp_path / "page.html", **options)
    text = path.read_text(encoding="utf-8")
    parsed = Strict(text)
    assert parsed.faults == []
    assert len(parsed.ids) == len(set(parsed.ids))
    return text


def words_of(text):
    """What a reader sees, without script and style."""
    body = re.sub(r"<(script|style).*?</\1>", "", text, flags=re.S)
    return " ".join("".join(Strict(body).words).split())


def test_the_page_is_one_file_that_names_no_other(tmp_path):
    """It is mailed: whatever it refers to must be in it."""
    text = page_of(real_run("digits"), tmp_path, command="backdoor-curves report runs/digits")
    assert not re.findall(r"https?:(?!//www\.w3\.org/2000/svg)", text)
    assert set(re.findall(r'(?:href|src)="([^"#]*)', re.sub("data:image/png;base64,[A-Za-z0-9+/=]*", "", text))) <= {""}
    assert "url(" not in text
    assert "backdoor-curves report runs/digits" in text
    assert len(text) < 400_000


def test_verdicts_tell_the_numbers_of_the_regions(tmp_path):
    """Best, chosen, held out: each as `safe_regions` has it."""
    content = content_of(real_run("digits"), Bounds(0.1, 0.4))
    text = words_of(page_of(real_run("digits"), tmp_path, bounds=Bounds(0.1, 0.4)))
    kinds = set()
    for scenario in content.scenarios:
        for learner in scenario.learners:
            said = verdict(learner)
            kinds.add(said.kind)
            assert " ".join(f"{said.claim} {' '.join(said.grounds)}".split()) in text
            region = learner.region
            assert f"{100 * region.best.clean_accuracy:.1f}" in " ".join(said.grounds)
            assert (said.kind in ("safe", "resists", "average")) == bool(region.safe)
            chosen = region.chosen
            if chosen is not None:
                seeds = [cell.numbers["asr_at_1"] for cell in learner.of(chosen).cells]
                assert (said.kind == "average") == (max(seeds) > 0.4 + 1e-9)
                assert (said.kind != "resists") or chosen is region.best
                clean = np.mean([cell.numbers["asr_at_0"] for cell in learner.of(chosen).cells])
                assert f"({100 * clean:.1f}\u202f% without any poison)" in " ".join(said.grounds)
    assert len(kinds) > 1
    assert "at most 10 percentage points under" in text
    assert "at most 40 %" in text


def test_the_settings_that_are_compared_are_explained_with_the_pictures_of_the_run(tmp_path):
    """Pixel by pixel: the images of the first cell of each, and their gradients in colours that mirror at 0."""
    run = real_run("digits")
    content = content_of(run, Bounds())
    text = page_of(run, tmp_path)
    compared = [one for s in content.drawn for learner in s.learners for _, one in learner.compared]
    kept = [run.explanation(one.cells[0]) for one in compared]
    assert len(kept) == len(content.explanations) > 6
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGBA"))
        for code in re.findall(r'href="data:image/png;base64,([^"]*)"', text)
    ]
    assert len(pictures) == sum(1 + len(found.gradients) for found in kept)
    for found in kept:
        strip, *gradients = (pictures.pop(0) for _ in range(1 + len(found.gradients)))
        assert strip.shape == (8, (3 + len(found.top)) * 9 - 1, 4)
        np.testing.assert_array_equal(strip[:, :8, 0], found.image[..., 0])
        for k, image in enumerate(found.top):
            np.testing.assert_array_equal(strip[:, (3 + k) * 9 : (3 + k) * 9 + 8, 0], image[..., 0])
        for picture, G in zip(gradients, found.gradients, strict=True):
            green = picture[..., 1].astype(int) - picture[..., 0]  # of PRGn, against purple
            large = np.abs(G) > 0.1 * np.abs(found.gradients).max()
            np.testing.assert_array_equal(green[large] > 0, G[large] > 0)
    words = words_of(text)
    for found in kept:
        if len(found.top):
            assert (
                f"of the {len(found.top)} most influential training rows {found.top_is_poison.sum()} are poison"
                in words
            )
    unknown = sum(bool(found.no_influences) for found in kept)  # the refits
    idle = sum(not len(found.top) for found in kept) - unknown
    assert unknown > 0
    assert (words.count("influences are not known"), words.count("no row moves this loss")) == (unknown, idle)
    assert "of refits" in words or "refit" in words


def test_nothing_is_drawn_of_gradients_that_are_not_known_and_long_labels_are_cut():
    """No outline of a trigger without a picture below it, and no words wider than the picture that they are above."""
    content = content_of(real_run("digits"), Bounds())
    learner, kept = content.drawn[0].learners[0], content.explanations
    assert explained.compared_explanations(learner, kept)
    known = {key: replace(found, label="automobile+truck") for key, found in kept.items()}
    unknown = {
        key: replace(found, gradients=found.gradients[:0], predicted=np.array(["", ""]), no_gradients="why")
        for key, found in kept.items()
    }
    for explanations, outlines in ((known, 3), (unknown, 1)):
        drawn = explained.explanations("e", learner, explanations)
        edges = [edges_of(found.mask) for *_, found in explained.compared_explanations(learner, explanations)]
        paths = re.findall(r'<path d="([^"]*)" class="trigger"', drawn)
        for path, around in zip(paths, edges, strict=True):
            # A picture of 8 pixels is 76 wide, and one of its own pixels is between two of them.
            right = [9.5 * (9 * k + x) for k in range(outlines) for x in around[:, 0, 0]]
            np.testing.assert_allclose([float(x) for x in re.findall(r"M([0-9.]+) ", path)], right, atol=0.051)
        assert max(map(len, re.findall(r'<text x="[^"]*" y="[^"]*">([^<]*)</text>', drawn))) < 16
        assert drawn.count("not known") == (0 if explanations is known else 2 * len(edges))


def test_explanations_that_a_page_has_no_room_for_are_counted(tmp_path):
    """And a run that kept none has no such section."""
    words = words_of(page_of(real_run("digits"), tmp_path, budget=Budget(explanations=2)))
    wanted = len(content_of(real_run("digits"), Bounds()).explanations)
    assert f"The explanations of {wanted - 2} of {wanted} settings." in words
    assert "which rows taught it" not in words_of(page_of(real_run("toy"), tmp_path))


def planes_in(text) -> dict:
    """The decision pictures in the data of a page, by the key of their cell."""
    return json.JSONDecoder().raw_decode(text[text.index('"planes":') + len('"planes":') :])[0]


def test_a_page_is_drawn_from_the_run_alone(tmp_path, monkeypatch):
    """No data are drawn and no path is followed: they may be gone, and it would take long."""

    runs = [real_run(name) for name in ("toy", "digits")]  # before
    for name in (
        "curve.entry.follow",
        "curve.entry.read_learner",
        "study.plan.known_sources.draw",
        "study.plan.cells.poisoned",
    ):
        monkeypatch.setattr(f"backdoor_curves.{name}", None)  # to be called is an error
    toy, digits = (planes_in(page_of(run, tmp_path)) for run in runs)
    assert toy.keys() == {one.key for one in real_run("toy").cells}
    assert digits == {}


def test_a_decision_picture_has_its_points_and_regions_in_pixels(tmp_path):
    """Of ridge: the region ends where the scores of the kept regions do, and x2 rises upwards."""
    run = real_run("toy")
    ridge = next(one for one in run.cells if one.coordinates["learner"] == "ridge")
    regions, drawn = run.decision_regions(ridge), planes_in(page_of(run, tmp_path))[ridge.key]
    triggered = np.array(drawn["points"]["triggered"])
    assert np.ptp(triggered[:, 1]) < np.ptp(np.array(drawn["points"]["class 0"])[:, 1])  # all lifted to x2 = 1.2
    assert (triggered[:, 1] < 0.2 * drawn["height"]).all()
    shares = (regions.triggered[:, 0] - regions.low[0]) / (regions.high[0] - regions.low[0])
    np.testing.assert_allclose(triggered[:, 0], 340 * shares, atol=0.051)  # to a tenth of a pixel
    assert len(drawn["regions"]) == len(drawn["betas"]) == len(regions.betas)
    corners = np.array(re.findall(r"(\d+) (\d+)", drawn["regions"][0]), dtype=float)
    assert drawn["regions"][0].count("M") == drawn["regions"][0].count("Z") == 1
    assert corners.shape == regions.outlines(0)[0].shape
    # The second class of the toy is the right one.
    assert corners[:, 0].max() == 340
    none = replace(regions, corners=regions.corners[:0], starts=regions.starts[:1], at=regions.at[:0])
    assert decision_picture(none)["regions"] == [""] * len(regions.betas)


def test_a_run_of_before_decision_regions_were_kept_has_a_page_without(tmp_path, monkeypatch):
    """And those that a page has no room for are counted."""
    words = words_of(page_of(real_run("toy"), tmp_path, budget=Budget(planes=2)))
    assert "The decision pictures of 3 of 5 settings." in words
    monkeypatch.setattr("backdoor_curves.study.store.run.Run.keys_with", Mock(return_value=set()))
    text = page_of(real_run("toy"), tmp_path)
    assert planes_in(text) == {}
    assert "decision pictures" not in words_of(text)


def test_a_partial_run_says_so_first(tmp_path):
    """Before anything that may change."""
    run = real_run("partial")
    text = words_of(page_of(run, tmp_path))
    first = (
        f"{run.n_done} of {run.n_cells} cells are done, {run.n_left} are left to be computed. This report is of a part"
    )
    assert 0 < run.n_done < run.n_cells
    assert text.index(first) < text.index("Is this learner easy to backdoor")


def test_a_run_without_results_says_that_nothing_can_be_said(tmp_path):
    """An empty page would look like a broken one."""
    text = words_of(page_of(made_up([], tmp_path, n_cells=7), tmp_path))
    assert "0 of 7 cells are done, 7 are left" in text
    assert "No cell is done, so nothing can be said yet." in text
    assert "How it was made" in text


def test_a_run_of_failures_lists_the_reasons_by_how_often_they_occur(tmp_path):
    """With their cells: that is all there is to learn from it."""
    cells = [(cell(lam=1.0 + k), "ValueError: rare" if k == 3 else "PathError: common") for k in range(8)]
    text = words_of(page_of(made_up(cells, tmp_path), tmp_path))
    assert "0 of 8 cells are done, 8 failed" in text
    assert text.index("PathError: common (7 cells)") < text.index("ValueError: rare (1 cell)")
    assert "ridge, λ = 4, p = 0.1, seed 0" in text
    assert "Ridge is not judged." in text


def test_one_cell_is_judged_without_a_curve_and_without_a_second_seed(tmp_path):
    """And says what it cannot say."""
    text = words_of(page_of(made_up([(cell(), numbers())], tmp_path), tmp_path))
    assert "Ridge has a safe setting." in text
    assert "With one seed this cannot be checked on another." in text


def test_a_control_has_a_column_of_its_own(tmp_path):
    """What the same wrong labels do without the trigger is no backdoor."""
    run = made_up([(cell(), numbers(asr=0.7) | {"control_asr_at_1": 0.613})], tmp_path)
    text = page_of(run, tmp_path)
    assert "ASR without trigger" in text
    assert "<td>61.3</td>" in text
    assert "ASR without trigger" not in words_of(page_of(real_run("digits"), tmp_path))


@pytest.fixture(scope="module")
def curve():
    """The bytes of a curve, to be kept many times."""
    run = real_run("digits")
    return curve_as_bytes(run.curve(run.cells[0]))


def test_ten_thousand_cells_fit_and_what_is_left_out_is_counted(tmp_path, curve):
    """A hundred scenarios of a hundred settings: the first are drawn, all are in the overview."""
    rng = np.random.default_rng(0)
    cells = [
        (cell(lam=10.0**k, rate=float(rate)), numbers(0.9 + 0.05 * rng.uniform(), rng.uniform()))
        for rate in np.linspace(0.01, 1.0, 100)
        for k in np.linspace(-3, 3, 100)
    ]
    budget = Budget(settings=220)  # the usual 710 take their time
    text = page_of(made_up(cells, tmp_path, curve=curve), tmp_path, budget=budget)
    words = words_of(text)
    assert len(text) < 1_000_000
    assert words.count("✓ safe:") + words.count("✗ none safe:") == 100
    assert "The figures of 98 of 100 scenarios; these have a row in the overview." in words
    assert text.count('class="scenario"') == 2


def test_one_learner_with_ten_thousand_settings_is_thinned_and_judged_whole(tmp_path):
    """A grid of a hundred by a hundred: the best setting is named though most are not drawn."""
    cells = [
        (cell(lam=1.0 + i, gamma=1.0 + j, kind="rbf-svm"), numbers(0.9, 0.5)) for i in range(100) for j in range(100)
    ]
    cells[5150] = (cells[5150][0], numbers(0.95, 0.01))
    content = content_of(made_up(cells, tmp_path), Bounds())
    (learner,) = content.scenarios[0].learners
    assert len(learner.shown) < 700
    assert learner.of(learner.region.best) is not None
    assert re.match(r"9\d{3} of 10000 settings of rbf-svm: its grid is drawn evenly thinned", content.left_out[0])
    assert "resists" in verdict(learner).claim


def test_many_seeds_share_the_room_for_curves(tmp_path, curve):
    """Numbers are of all seeds, bands of the first."""
    cells = [(cell(lam=float(lam), seed=seed), numbers()) for lam in (1, 2) for seed in range(30)]
    content = content_of(made_up(cells, tmp_path, curve=curve), Bounds(), Budget(cells=20))
    one = content.scenarios[0].shown[0]
    assert (one.series.n_seeds, one.numbers["asr_at_1"].n) == (10, 30)
    assert content.left_out == (
        "The curves of 40 cells, and links to them: of each setting the first 10 seeds are here; "
        "all other numbers are of all seeds.",
    )


@pytest.mark.parametrize("k", range(len(HOSTILE)))
def test_texts_from_outside_are_escaped_and_cut(tmp_path, k):
    """Wherever a run can bring them in: learner, study, reason, command."""
    words = HOSTILE[k]
    cells = [(cell(kind=words), numbers()), (cell(lam=2.0), words)]
    text = page_of(made_up(cells, tmp_path, name=words), tmp_path, command=words)
    body = re.sub(r"<script>.*?</script>\s*</body>", "", text, flags=re.S)
    assert "<script>alert" not in body
    assert "<img" not in body
    assert "\x00" not in text
    assert len(text) < 200_000


def test_what_is_written_from_right_to_left_turns_nothing_beside_it_round(tmp_path):
    """Marks that turn the direction are shown as unknown characters, letters are isolated."""
    assert shown("\u202eabc\u202c") == "�abc�"
    assert shown("אב 12") == "\u2068אב 12\u2069"
    text = page_of(made_up([(cell(kind="אב"), numbers())], tmp_path), tmp_path)
    assert len(re.findall("אב", text)) == len(re.findall("\u2068אב\u2069", text)) > 5


def test_ticks_are_written_as_they_are():
    """97.5 is not 98: a tick stands where it says."""
    for low, high in ((89.5, 90.5), (92.1, 99.3), (0.0, 0.013), (0.0, 22.3)):
        axis = axis_left(Scale(low, high, 100.0, 0.0), 0.0, ticks(low, high), "", 1.0)
        places = re.findall(r'<text x="-6" y="([\d.-]+)"[^>]*>([\d.-]+)<', axis)
        assert len(places) >= 3
        for y, words in places:
            assert 100.0 * (1.0 - (float(words) - low) / (high - low)) + 3.5 == pytest.approx(float(y), abs=0.06)


def test_lines_of_the_page_stay_within_a_pixel_of_the_curves():
    """Against the exact curve at betas that the page does not keep; exact but for what its grid cannot see."""
    run = real_run("digits")
    for one in (run.cells[0], run.cells[-5]):
        series = series_of(run, [one])
        curve = run.curve(one)
        betas = BETAS if curve.exact else curve.betas
        for name, exact in (("triggered_loss", curve.loss("triggered", betas)), ("asr", curve.accuracy(betas=betas))):
            height = max(exact.max(), curve.loss("clean", betas).max()) if name == "triggered_loss" else 1.0
            drawn = np.interp(betas, series.betas, series.lines[name])
            assert np.abs(drawn - exact).max() <= TOLERANCE * height * (1 + 1e-9)
    assert len(series_of(run, [run.cells[0]]).betas) < len(BETAS)


def test_bands_are_the_range_of_the_seeds():
    """Mean, lowest and highest at each beta, from the curves themselves."""
    run = real_run("digits")
    pair = [c for c in run.cells if (c.scenario, c.setting) == (run.cells[0].scenario, run.cells[0].setting)]
    series = series_of(run, pair)
    values = np.stack([run.curve(c).loss("triggered", series.betas) for c in pair])
    assert series.n_seeds == 2
    for name, expected in (("", values.mean(0)), (" low", values.min(0)), (" high", values.max(0))):
        np.testing.assert_allclose(series.lines[f"triggered_loss{name}"], expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_thinning_keeps_every_line_within_the_tolerance(seed):
    """For random walks, by interpolation; and a tighter tolerance keeps more."""
    x = np.linspace(0, 1, 80)
    walks = np.random.default_rng(seed).normal(size=(3, 80)).cumsum(axis=1) / 30
    counts = []
    for tolerance in (0.1, 0.01):
        kept = thinned(x, walks, tolerance)
        counts.append(len(kept))
        off = [np.abs(np.interp(x, x[kept], walk[kept]) - walk).max() for walk in walks]
        assert max(off) <= tolerance
    assert counts[0] < counts[1]


@pytest.mark.parametrize(
    "study",
    [
        built_in_study(),
        Study("two", (DIGITS, DIGITS), report=False),
        *(read_study(STUDIES / f"attacks-{data}.toml") for data in ("digits", "mnist")),
    ],
    ids=["digits", "two", "attacks-digits", "attacks-mnist"],
)
def test_the_study_on_the_page_is_the_study_that_ran(tmp_path, study):
    """Saved and read back it is the same record."""
    path = tmp_path / "study.toml"
    path.write_text(as_toml(study), encoding="utf-8")
    assert read_study(path) == study


def test_the_headline_counts_cases_with_a_safe_setting(tmp_path):
    """All, some and none, in words."""
    cells = [(cell(rate=rate), numbers(asr=asr)) for rate, asr in ((0.1, 0.1), (0.2, 0.9))]
    assert headline(content_of(made_up(cells, tmp_path), Bounds())) == (
        "1 of the 2 cases (1 learner, 2 scenarios) has a safe setting. "
        "p\u00a0=\u00a010\u202f%: Ridge; p\u00a0=\u00a020\u202f%: none."
    )


def test_a_page_that_cannot_be_written_is_told_by_its_own_name(tmp_path, monkeypatch):
    """The draft beside it is nobody's business."""
    run = made_up([], tmp_path)
    with pytest.raises(OSError, match=r"a file to write to was expected, a folder came; name a file in it, such as"):
        write_report(run, tmp_path)
    with pytest.raises(OSError, match=r"a file in an existing folder was expected, .*no/such is not there: make it"):
        write_report(run, tmp_path / "no" / "such" / "page.html")

    def full(path, *_, **__):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(OSError, match="the disk is full") as caught:
        write_report(run, tmp_path / "page.html")
    assert caught.value.filename == str(tmp_path / "page.html")


@pytest.mark.parametrize(
    ("asr", "opened"),
    [
        ({0.05: (0.9, 0.1), 0.1: (0.1, 0.1), 0.2: (0.1, 0.1)}, 1),  # most safe learners; the first of equals
        ({0.05: (0.9, 0.1), 0.1: (0.9, 0.9), 0.2: (0.9, 0.9)}, 0),
        ({0.05: (0.9, 0.9), 0.1: (0.9, 0.9), 0.2: (0.9, 0.9)}, 2),  # none: the highest rate
    ],
)
def test_the_page_opens_where_the_headline_finds_safe_settings(tmp_path, asr, opened):
    """Were it another scenario, the first thing seen would contradict the sentence above."""
    learners = ("ridge", "logistic")
    cells = [
        (cell(rate=rate, kind=learner), numbers(asr=one))
        for rate, both in asr.items()
        for learner, one in zip(learners, both, strict=True)
    ]
    assert f'data-first="{opened}"' in page_of(made_up(cells, tmp_path), tmp_path)


def test_rounding_hides_no_verdict(tmp_path):
    """What is a hair over the margin or the bound is not shown at it."""
    cells = [(cell(lam=1.0), numbers(0.92, 0.9)), (cell(lam=10.0), numbers(0.8998, 0.1))]
    content = content_of(made_up(cells, tmp_path), Bounds())
    said = verdict(content.scenarios[0].learners[0])
    assert said.kind == "unsafe"
    assert "it costs 2.02 points of clean accuracy" in said.grounds[-1]
    (tmp_path / "attacked").mkdir()
    content = content_of(made_up([(cell(), numbers(0.9, 0.2003))], tmp_path / "attacked"), Bounds())
    assert "the lowest is 20.03\u202f%" in verdict(content.scenarios[0].learners[0]).grounds[-1]


@pytest.mark.parametrize("seed", range(3))
def test_shown_numbers_are_on_the_side_of_the_bound_where_the_values_are(seed):
    """For values as near to the bound as may be, on both sides; far from it one digit does."""
    rng = np.random.default_rng(seed)
    for bound in (0.02, 0.0196, 0.2, 1 / 3):
        for value in bound + rng.choice([-1, 1], 50) * 10.0 ** rng.uniform(-8, -2, 50):
            for words in (points(value, bound), percent(value, bound=bound)):
                assert (float(re.match(r"[\d.]+", words)[0]) <= 100 * bound) == (value <= bound)
    assert (points(0.05, 0.02), points(0.02, 0.02)) == ("5.0 points", "2.0 points")


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    """The old page stays where the new one cannot be written."""
    path = tmp_path / "page.html"
    path.write_text("old")
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_report(made_up([], tmp_path), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".page")] == []
