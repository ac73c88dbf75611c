"""The page in a browser: what a reader does with it, by pointer, keyboard, link, printer and small screen."""

from __future__ import annotations

import base64
import json
import re

import pytest
from headless import resize
from runs import HOSTILE, cell, made_up, numbers, real_run

from backdoor_curves.report import write_report

MAP = ".scenario:not([hidden]) a.c"


def opened(browser, path, address=""):
    browser.get(f"{path.as_uri()}{address}")
    return browser


def texts(browser, selector):
    return [one.text for one in browser.find_elements("css selector", selector)]


def readout(browser):
    """The table of values: quantity -> at 0, at beta, at 1."""
    rows = [row.text for row in browser.find_elements("css selector", "#readout tr")]
    return {re.split(r" (?=[\d–-])", row)[0]: re.split(r" (?=[\d–-])", row)[1:] for row in rows}


def slide(browser, beta):
    browser.execute_script(
        "const s = document.getElementById('beta'); s.value = arguments[0] * 1000; s.dispatchEvent(new Event('input'))",
        beta,
    )


def faults(browser):
    return [entry["message"] for entry in browser.get_log("browser")]


def requested(browser):
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def test_the_page_opens_from_a_file_without_a_request_or_a_complaint(browser, pages):
    """It is mailed: nothing but itself is there."""
    opened(browser, pages("digits"))
    assert texts(browser, "h1") == ["digits"]
    assert texts(browser, ".status") == ["40 of 40 cells are done."]
    slide(browser, 0.5)
    assert faults(browser) == []
    asked = {url.partition("#")[0] for url in requested(browser) if not url.startswith("data:image/png;")}
    assert asked <= {pages("digits").as_uri(), "about:blank"}


def test_the_slider_moves_marks_table_and_address_together(browser, pages):
    """One beta for all curves on the page; the values are those of the curve."""
    opened(browser, pages("digits"))
    key = browser.execute_script("return location.hash") or ""
    slide(browser, 0.5)
    assert browser.find_element("id", "here").text == "β = 0.5"
    marks = browser.execute_script(
        "return [...document.querySelectorAll('.scenario .beta')].map(m => "
        "(m.getAttribute('x1') - m.dataset.x0) / (m.dataset.x1 - m.dataset.x0))"
    )
    assert len(marks) > 10
    assert all(mark == pytest.approx(0.5, abs=1e-3) for mark in marks)
    assert "beta=0.5" in browser.execute_script("return location.hash") != key
    run = real_run("digits")
    chosen = re.search(r"cell=([0-9a-f]+)", browser.execute_script("return location.hash"))[1]
    one = next(c for c in run.cells if c.key == chosen)
    curves = [run.curve(c) for c in run.cells if (c.scenario, c.setting) == (one.scenario, one.setting)]
    expected = sum(curve.loss("triggered", 0.5) for curve in curves) / len(curves)
    # Four digits, straight lines that stay within .004 of the height of the picture.
    assert float(readout(browser)["triggered loss"][1]) == pytest.approx(expected, abs=0.01 * max(1.0, expected))


def test_pointing_at_a_cell_of_the_map_shows_its_curve_and_leaving_brings_the_chosen_one_back(browser, pages):
    """A look costs nothing; a click keeps it."""
    from selenium.webdriver import ActionChains

    opened(browser, pages("digits"))
    chosen = browser.find_element("id", "what").text
    other = next(
        link for link in browser.find_elements("css selector", MAP) if "now" not in link.get_attribute("class")
    )
    ActionChains(browser).move_to_element(other).perform()
    seen = browser.find_element("id", "what").text
    assert seen != chosen
    ActionChains(browser).move_to_element(browser.find_element("css selector", "h1")).perform()
    assert browser.find_element("id", "what").text == chosen
    other.click()
    ActionChains(browser).move_to_element(browser.find_element("css selector", "h1")).perform()
    assert browser.find_element("id", "what").text == seen
    assert other.get_dom_attribute("href").partition("#")[2] in browser.execute_script("return location.hash")


def test_what_is_chosen_is_marked_otherwise_than_what_is_safe(browser, pages):
    """A bar under the number, in both maps of the learner and nowhere else; the outline is the safe region's alone."""
    opened(browser, pages("digits"))
    chosen = browser.find_elements("css selector", f"{MAP}.now")
    other = next(link for link in browser.find_elements("css selector", MAP) if link not in chosen)
    for cells in (chosen, None):
        if cells is None:
            other.click()
            browser.execute_script("document.activeElement.blur()")
            cells = browser.find_elements("css selector", f"{MAP}.now")
        assert len(cells) == len(browser.find_elements("css selector", ".bar")) == 2
        assert all(len(one.find_elements("css selector", ".bar")) == 1 for one in cells)
    strokes = browser.execute_script(
        "return [...document.querySelectorAll('a.c:not(:hover) rect')].map(r => getComputedStyle(r).stroke)"
    )
    assert len(set(strokes)) == 1
    key = next(text for text in texts(browser, ".scenario:not([hidden]) .key") if "outline" in text)
    assert "green outline: safe" in key
    assert "bar under the number: the setting whose curve is shown" in key


def test_pointing_at_the_curve_reads_beta_loss_and_accuracy(browser, pages):
    """And the slider's own beta is back when the pointer leaves."""
    from selenium.webdriver import ActionChains

    opened(browser, pages("digits"), "#beta=1")
    plot = browser.find_element("css selector", "#plot svg")
    ActionChains(browser).move_to_element(plot).perform()
    middle = float(browser.find_element("id", "here").text.removeprefix("β = "))
    assert 0.3 < middle < 0.7
    assert {"triggered loss", "ASR", "clean accuracy"} <= readout(browser).keys()
    ActionChains(browser).move_to_element(browser.find_element("css selector", "h1")).perform()
    assert browser.find_element("id", "here").text == "β = 1"


def test_a_link_to_a_cell_opens_its_scenario_setting_and_seed(browser, pages):
    """So that a colleague sees what was meant; any seed's key will do, and a wrong one harms nothing."""
    run = real_run("digits")
    meant = next(c for c in run.cells if c.seed == 1 and c.setting.lam == 10.0)
    opened(browser, pages("digits"), f"#cell={meant.key}&beta=0.25")
    assert browser.find_element("id", "what").text.startswith("Ridge, λ = 10, p = 5")
    assert browser.find_element("id", "here").text == "β = 0.25"
    row = browser.execute_script("return document.querySelector('#cells .chosen').textContent")
    assert row.startswith("1")
    opened(browser, pages("digits"), "#cell=nonsense&beta=7&band=x")
    assert faults(browser) == []
    assert browser.find_element("id", "what").text


def test_filters_choose_a_setting_and_are_kept_in_the_address(browser, pages):
    """Reloading the address gives the same page; a filter that changes takes the nearest setting."""
    from selenium.webdriver.support.ui import Select

    opened(browser, pages("digits"))
    filters = {
        s.find_element("xpath", "..").text.splitlines()[0]: s for s in browser.find_elements("tag name", "select")
    }
    assert {"Rate p", "Learner", "λ"} <= filters.keys()
    Select(filters["Learner"]).select_by_visible_text("Ridge")
    select = next(s for s in browser.find_elements("tag name", "select") if s.get_attribute("data-coordinate") == "4")
    Select(select).select_by_visible_text("0.05")
    before = browser.find_element("id", "what").text
    assert before.startswith("Ridge")
    assert "p = 5" in before
    address = browser.execute_script("return location.hash")
    assert "cell=" in address
    opened(browser, pages("toy"))
    opened(browser, pages("digits"), address)
    assert browser.find_element("id", "what").text == before
    assert len(texts(browser, ".scenario:not([hidden]) > h2")) == 1


def test_arrow_keys_go_through_a_map_which_is_one_stop_for_tab(browser, pages):
    """Fifty cells must not be fifty stops."""
    from selenium.webdriver import Keys

    opened(browser, pages("digits"))
    maps = browser.find_elements("css selector", '.scenario:not([hidden]) svg[role="group"]')
    stops = [len(m.find_elements("css selector", 'a[tabindex="0"]')) for m in maps]
    assert set(stops) == {1}
    strip = next(m for m in maps if len(m.find_elements("tag name", "a")) == 3)
    browser.execute_script("arguments[0].focus()", strip.find_element("css selector", 'a[tabindex="0"]'))
    first = browser.find_element("id", "what").text
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    second = browser.find_element("id", "what").text
    assert (first.split(",")[1], second.split(",")[1]) == (" λ = 1", " λ = 10")
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert browser.switch_to.active_element.get_dom_attribute("href").partition("#")[2] in browser.current_url


def test_data_in_the_plane_have_a_decision_picture_that_follows_the_slider(browser, pages):
    """The region of class 1 is another one at beta = 1 than at 0."""
    opened(browser, pages("toy"), "#beta=0")
    region = "return document.querySelector('#plane .region').getAttribute('d')"
    at_0 = browser.execute_script(region)
    slide(browser, 1.0)
    assert browser.execute_script(region) != at_0
    assert texts(browser, "#plane text")[0] == "Decision picture at β = 1"
    opened(browser, pages("digits"))
    assert texts(browser, "#plane *") == []


@pytest.mark.parametrize("name", ["digits", "three-classes"])
@pytest.mark.parametrize(("width", "scale"), [(390, 2.0), (680, 2.0), (1360, 1.0)], ids=["phone", "zoom 200 %", "desk"])
def test_nothing_is_wider_than_the_screen(browser, pages, width, scale, name):
    """Wide tables scroll in their own boxes; the page itself never does sideways."""
    resize(browser, width, scale=scale)
    opened(browser, pages(name))
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_it_prints_without_controls(browser, pages):
    """On paper a slider is of no use; the figures are."""
    opened(browser, pages("digits"))
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})["data"])
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) >= 2
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": []})
    assert [e.is_displayed() for e in browser.find_elements("css selector", "#beta, #filters, .options")] == [False] * 4
    assert browser.find_element("css selector", MAP).is_displayed()
    assert faults(browser) == []


def test_without_the_script_everything_is_there(browser, pages, tmp_path):
    """All scenarios in their order, with their figures; links in the maps go to rows of the tables."""
    plain = tmp_path / "plain.html"
    plain.write_text(re.sub(r"<script>.*?</script>", "", pages("digits").read_text(encoding="utf-8"), flags=re.S))
    opened(browser, plain)
    assert len([s for s in browser.find_elements("css selector", ".scenario") if s.is_displayed()]) == 2
    assert not browser.find_element("id", "explorer").is_displayed()
    link = browser.find_element("css selector", "a.c").get_dom_attribute("href").partition("#")[2]
    assert browser.execute_script("return document.getElementById(arguments[0]).tagName", link) == "TR"


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("name", ["digits", "toy", "three-classes", "partial", "crowded"])
def test_axe_finds_no_serious_fault(browser, pages, axe, name, colours, tmp_path):
    """With every table open, in both colour schemes; crowded: a map whose cells have no room for a digit more."""
    scheme = [{"name": "prefers-color-scheme", "value": colours}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": scheme})
    if name == "crowded":
        crowd = [(cell(lam=1.0 + k), numbers(0.9 + 0.001 * k)) for k in range(20)]
        path = write_report(made_up(crowd, tmp_path), tmp_path / "page.html")
    else:
        path = pages(name)
    opened(browser, path, "#all=1")
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    browser.execute_script(axe)
    found = browser.execute_async_script("axe.run().then(arguments[0])")["violations"]
    serious = [
        (fault["id"], [node["html"][:120] for node in fault["nodes"][:3]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert serious == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_numbers_in_the_maps_stand_out_from_their_cells(browser, pages, colours):
    """4.5 to 1, WCAG's measure for small text; axe does not look into SVG."""
    scheme = [{"name": "prefers-color-scheme", "value": colours}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": scheme})
    opened(browser, pages("digits"))
    pairs = browser.execute_script(
        "const cell = document.querySelector('a.c'), [rect, text] = cell.children;"
        "const fill = e => getComputedStyle(e).fill;"
        "return ['a', 's'].flatMap(ramp => [...Array(9).keys()].map(k => {"
        "cell.setAttribute('class', `c ${ramp}${k}`); return [fill(rect), fill(text)]; }))"
    )
    assert len({pair[0] for pair in pairs}) == 18
    assert min(contrast(*pair) for pair in pairs) >= 4.5


def contrast(one, other):
    """The ratio of luminances of two colours, as WCAG defines it."""

    def luminance(colour):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_hostile_texts_are_shown_as_text(browser, tmp_path):
    """Names and errors come from files and other people's code: none of it runs, loads or spills."""
    cells = [(cell(kind=words, seed=k), numbers()) for k, words in enumerate(HOSTILE)]
    cells += [(cell(lam=9.0, seed=k), words) for k, words in enumerate(HOSTILE)]
    path = write_report(made_up(cells, tmp_path, name=HOSTILE[0]), tmp_path / "page.html", command=HOSTILE[1])
    opened(browser, path)
    assert texts(browser, "h1") == [HOSTILE[0]]
    page = browser.find_element("tag name", "body").text
    assert all(words in page for words in HOSTILE[:4])
    assert browser.find_elements("css selector", "img, body b, script:not(#data):not(:last-of-type)") == []
    assert faults(browser) == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1360


def test_a_script_that_is_not_ours_does_not_run(browser, pages, tmp_path):
    """Were a text ever to slip through, the page's own policy stops it: only the hash of our script may run."""
    broken = tmp_path / "broken.html"
    text = pages("digits").read_text(encoding="utf-8")
    broken.write_text(text.replace("<h1>", "<script>window.stolen = 1</script><img src='http://127.0.0.1:9/x'><h1>"))
    opened(browser, broken)
    assert browser.execute_script("return window.stolen") is None
    assert browser.find_element("id", "what").text
    assert any("Content Security Policy" in fault for fault in faults(browser))
