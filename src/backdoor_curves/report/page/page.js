// The curve of a setting: chosen by link, map or filters; beta by a slider that marks all curves. The address keeps it.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const settings = data.settings;
  const root = document.documentElement;
  const $ = (id) => document.getElementById(id);
  if (!settings.some((one) => one.cells.length) || !$("explorer")) return;
  root.classList.add("scripted");

  const byKey = new Map();
  settings.forEach((one, n) => one.cells.forEach(([key]) => byKey.set(key, n)));
  const first = Number(document.querySelector(".scenarios").dataset.first);
  const start = (scenario) => data.scenarios[scenario].start ?? settings.findIndex((one) => one.cells.length);
  // What is chosen: a setting and, where a link named it, one of its cells. `peek` is what the pointer is at.
  const state = { n: start(first), key: "", beta: 0.1, band: true, stretch: false, all: false };
  let peek = null;

  // --- numbers and places -------------------------------------------------------------------------------------------

  const digits = (value, count = 3) =>
    value === null || value === undefined ? "–" : String(Number(value.toPrecision(count)));
  const said = (value) => (typeof value === "number" ? digits(value) : value); // words are shown as they are
  const percent = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(1)}\u202f%`);
  const at = (curve, name, beta) => {
    const xs = curve.b, ys = curve[name];
    let k = xs.findIndex((x) => x >= beta);
    if (k < 0) k = xs.length - 1;
    if (k === 0 || xs[k] === beta) return ys[k];
    return ys[k - 1] + ((beta - xs[k - 1]) / (xs[k] - xs[k - 1])) * (ys[k] - ys[k - 1]);
  };
  const along = (beta) => (state.stretch ? Math.cbrt(beta) : beta);
  const back = (share) => (state.stretch ? share ** 3 : share);
  const nearest = (values, value) =>
    values.reduce((best, other, k) => (Math.abs(other - value) < Math.abs(values[best] - value) ? k : best), 0);
  const steps = (high, about) => {
    const rough = high / about, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough * 0.99);
    return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, k) => Number((k * step).toPrecision(6)));
  };

  // --- the picture --------------------------------------------------------------------------------------------------

  const LEFT = 44, RIGHT = 372, HEIGHT = 116, TOPS = [22, 190];
  const X = (beta) => LEFT + along(beta) * (RIGHT - LEFT);
  const SVG = "http://www.w3.org/2000/svg";
  const make = (name, attributes, parent, words) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (words !== undefined) node.textContent = words;
    parent.append(node);
    return node;
  };
  const PANES = [
    { label: "mean loss of test rows", lines: [["t", "tl", "th", ""], ["n", "", "", " dashed"]], factor: 1 },
    { label: "ASR, clean accuracy (dashed), %", lines: [["a", "al", "ah", ""], ["c", "", "", " dashed"]], factor: 100 },
  ];
  const places = (curve, name, y, factor) => {
    const betas = [...curve.b];
    if (state.stretch) for (let k = 1; k < 80; k += 1) betas.push(back(k / 80));
    return betas.sort((p, q) => p - q).map((beta) => `${X(beta).toFixed(1)},${y(factor * at(curve, name, beta)).toFixed(1)}`);
  };
  let dots = [];
  const draw = (one) => {
    const plot = $("plot");
    plot.replaceChildren();
    dots = [];
    if (!one.curve) {
      const none = document.createElement("p");
      none.className = "quiet";
      none.textContent = "The study kept no curve of this setting.";
      plot.append(none);
      return;
    }
    const svg = make("svg", { viewBox: "0 0 384 346", role: "img", class: `h${one.l % 6}`, "aria-label": `Loss and accuracy over beta of ${name(one)}; the values are in the table below` }, plot);
    PANES.forEach((pane, number) => {
      const drawn = pane.lines.flatMap(([line, low, high]) => [line, high].filter((l) => l && one.curve[l]));
      const top = number ? 100 : Math.max(...drawn.flatMap((line) => one.curve[line])) * 1.04 || 1;
      const end = TOPS[number], y = (value) => end + HEIGHT * (1 - value / top);
      const axis = make("g", { class: "axis" }, svg);
      for (const value of steps(top, 4)) {
        make("line", { class: "grid", x1: LEFT, x2: RIGHT, y1: y(value), y2: y(value) }, axis);
        make("text", { x: LEFT - 6, y: y(value) + 3.5, "text-anchor": "end" }, axis, digits(value));
      }
      for (const beta of state.stretch ? [0, 0.001, 0.01, 0.1, 0.4, 1] : [0, 0.2, 0.4, 0.6, 0.8, 1])
        make("text", { x: X(beta), y: y(0) + 16, "text-anchor": "middle" }, axis, digits(beta));
      make("line", { x1: LEFT, x2: RIGHT, y1: y(0), y2: y(0) }, axis);
      make("text", { x: LEFT, y: end - 10, class: "label" }, axis, number ? pane.label : `${pane.label}; clean rows dashed`);
      if (number) make("text", { x: (LEFT + RIGHT) / 2, y: y(0) + 34, "text-anchor": "middle", class: "label" }, axis, "β, weight of the poison rows");
      for (const [line, low, high, style] of pane.lines) {
        if (!one.curve[line]) continue;
        if (state.band && low && one.curve[low]) {
          const edge = [...places(one.curve, high, y, pane.factor), ...places(one.curve, low, y, pane.factor).reverse()];
          make("polygon", { class: "band", points: edge.join(" ") }, svg);
        }
        make("polyline", { class: `line${style}`, points: places(one.curve, line, y, pane.factor).join(" ") }, svg);
        const dot = make("circle", { class: "dot", r: 4 }, svg);
        dots.push((beta) => {
          dot.setAttribute("cx", X(beta));
          dot.setAttribute("cy", y(pane.factor * at(one.curve, line, beta)));
        });
      }
      const mark = make("line", { class: "beta", y1: end, y2: y(0) }, svg);
      dots.push((beta) => ["x1", "x2"].forEach((x) => mark.setAttribute(x, X(beta))));
    });
    const read = (event) => {
      const box = svg.getBoundingClientRect();
      const share = (((event.clientX - box.left) / box.width) * 384 - LEFT) / (RIGHT - LEFT);
      markBeta(back(Math.min(1, Math.max(0, share))));
    };
    svg.addEventListener("pointermove", read);
    svg.addEventListener("pointerleave", () => markBeta(state.beta));
    svg.addEventListener("click", (event) => { read(event); setBeta(shownBeta); });
  };

  // --- beta ---------------------------------------------------------------------------------------------------------

  const ROWS = [
    ["triggered loss", "t", "tl", "th", digits], ["clean loss", "n", "", "", digits],
    ["ASR", "a", "al", "ah", percent], ["clean accuracy", "c", "", "", percent],
    ["ρ = |w|", "r", "", "", digits], ["ν, turn of w", "u", "", "", digits],
  ];
  let shownBeta = 0.1;
  const elsewhere = [...document.querySelectorAll(".scenarios .beta")];
  const markBeta = (beta) => {
    shownBeta = beta;
    $("beta-value").textContent = digits(beta);
    $("here").textContent = `β = ${digits(beta)}`;
    dots.forEach((move) => move(beta));
    for (const line of elsewhere) {
      const from = Number(line.dataset.x0), to = Number(line.dataset.x1), x = from + beta * (to - from);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    const one = settings[peek ?? state.n];
    const body = $("readout");
    body.replaceChildren();
    for (const [words, line, low, high, form] of one.curve ? ROWS : []) {
      if (!one.curve[line]) continue;
      const row = body.insertRow(), head = document.createElement("th");
      head.scope = "row";
      head.textContent = words;
      row.append(head);
      for (const value of [0, beta, 1]) row.insertCell().textContent = form(at(one.curve, line, value));
      if (low && one.curve[low])
        row.title = `range of the seeds at β = ${digits(beta)}: ${form(at(one.curve, low, beta))} to ${form(at(one.curve, high, beta))}`;
    }
    markPlane(beta);
  };
  const setBeta = (beta) => {
    state.beta = Number(beta.toPrecision(3));
    $("beta").value = Math.round(1000 * along(state.beta));
    markBeta(state.beta);
    remember();
  };

  // --- data in the plane --------------------------------------------------------------------------------------------

  let markPlane = () => {};
  const drawPlane = (one) => {
    const holder = $("plane");
    holder.replaceChildren();
    markPlane = () => {};
    const plane = one.cells.length ? data.planes[one.cells[0][0]] : undefined;
    if (!plane) return;
    const svg = make("svg", { viewBox: `0 -22 340 ${plane.height + 40}`, role: "img", "aria-label": "Decision picture: training rows, triggered test rows, and the region of class 1" }, holder);
    const title = make("text", { x: 0, y: -8, class: "label" }, svg);
    make("rect", { x: 0, y: 0, width: 340, height: plane.height, class: "empty" }, svg);
    const region = make("path", { class: "region", d: "" }, svg);
    const kinds = [["class 0", "p0", 2], ["class 1", "p1", 2], ["poison", "poison", 4], ["triggered", "tested", 2.5]];
    for (const [kind, style, r] of kinds)
      for (const [x, y] of plane.points[kind]) make("circle", { cx: x, cy: y, r, class: style }, svg);
    make("text", { x: 340, y: plane.height + 14, "text-anchor": "end", class: "label" }, svg, "x₁; x₂ upwards");
    const key = document.createElement("p");
    key.className = "note";
    key.textContent = `Seed ${one.cells[0][1]}. Shaded: predicted as class 1. Small dots: clean training rows; black rings: poison rows; grey rings: triggered test rows.`;
    holder.append(key);
    markPlane = (beta) => {
      const k = nearest(plane.betas, beta);
      region.setAttribute("d", plane.regions[k]);
      title.textContent = `Decision picture at β = ${digits(plane.betas[k])}`;
    };
  };

  // --- the setting --------------------------------------------------------------------------------------------------

  const name = (one) => {
    const scenario = data.scenarios[one.s];
    const parts = [data.learners[one.l]];
    data.symbols.forEach((symbol, k) => { if (one.at[k] !== null) parts.push(`${symbol} = ${said(one.at[k])}`); });
    parts.push(`p = ${digits(100 * scenario.rate)}\u202f%`);
    return parts.join(", ").replaceAll(" = ", "\u00a0=\u00a0");
  };
  const show = () => {
    const n = peek ?? state.n, one = settings[n];
    const seeds = one.curve ? `, ${one.curve.seeds === 1 ? "one seed" : `mean of ${one.curve.seeds} seeds`}` : "";
    $("what").textContent = `${name(one)}${seeds}${one.safe ? "; safe" : ""}`;
    draw(one);
    drawPlane(one);
    listCells(one);
    for (const old of document.querySelectorAll("[data-n].now")) old.classList.remove("now");
    for (const old of document.querySelectorAll(".c .bar")) old.remove();
    for (const mark of document.querySelectorAll(`[data-n="${n}"]`)) {
      mark.classList.add("now");
      if (mark.matches("a.c")) underline(mark);
    }
    markBeta(peek === null ? state.beta : shownBeta);
  };
  // A bar under the number of the cell whose curve is shown: an outline would look like that of the safe region.
  const underline = (cell) => {
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(cell.querySelector("rect").getAttribute(name)));
    const wide = Math.min(24, width - 6);
    make("path", { class: "corner bar", d: `M${x + (width - wide) / 2} ${y + height / 2 + 5.5}h${wide}v3h${-wide}z` }, cell);
  };
  const listCells = (one) => {
    const table = $("cells");
    table.replaceChildren();
    const head = table.createTHead().insertRow();
    for (const words of ["Seed", "clean acc.", "ASR", "θ", "half-loss β"]) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = words;
      head.append(cell);
    }
    const body = table.createTBody();
    for (const [key, seed, accuracy, asr, theta, half] of one.cells.slice(0, 200)) {
      const row = body.insertRow(), link = document.createElement("a"), head = document.createElement("th");
      link.href = `#cell=${key}`;
      link.textContent = seed;
      head.scope = "row";
      head.append(link);
      row.append(head);
      row.classList.toggle("chosen", key === state.key && peek === null);
      for (const words of [percent(accuracy), percent(asr), digits(theta), half === null ? "never" : digits(half)])
        row.insertCell().textContent = words;
    }
  };
  const choose = (n, key = "") => {
    state.n = n;
    state.key = key;
    peek = null;
    filters();
    sections();
    show();
  };
  const sections = () => {
    for (const section of document.querySelectorAll(".scenario"))
      section.hidden = !state.all && Number(section.dataset.scenario) !== settings[state.n].s;
  };

  // --- filters ------------------------------------------------------------------------------------------------------

  const COORDINATES = [
    ["Data", (one) => data.scenarios[one.s].data], ["Trigger", (one) => data.scenarios[one.s].trigger],
    ["Labels", (one) => data.scenarios[one.s].labels], ["Injection", (one) => data.scenarios[one.s].injection],
    ["Rate p", (one) => data.scenarios[one.s].rate], ["Learner", (one) => data.learners[one.l]],
    ...data.symbols.map((symbol, k) => [symbol, (one) => one.at[k]]),
  ];
  const there = settings.filter((one) => one.cells.length);
  const distinct = (values) => [...new Set(values)].sort((p, q) => (typeof p === "number" && typeof q === "number" ? p - q : 0));
  const filters = () => {
    const box = $("filters"), now = settings[state.n], focused = document.activeElement?.dataset?.coordinate;
    box.replaceChildren();
    COORDINATES.forEach(([words, of], k) => {
      // Hyperparameters are those of the learner; the others are free to choose.
      const values = distinct(there.filter((one) => k < 6 || (one.s === now.s && one.l === now.l)).map(of)).filter((v) => v !== null);
      if (values.length < 2) return;
      const label = document.createElement("label"), select = document.createElement("select");
      label.textContent = words;
      select.dataset.coordinate = k;
      for (const value of values) {
        const option = new Option(said(value), String(value));
        option.selected = value === of(now);
        select.add(option);
      }
      select.addEventListener("change", () => {
        choose(closest(k, values[select.selectedIndex]));
        remember();
      });
      label.append(select);
      box.append(label);
      if (String(k) === focused) select.focus();
    });
  };
  // The setting with the wanted value that shares most with the present one; hyperparameters as near as can be.
  const closest = (k, value) => {
    const now = settings[state.n];
    const numbers = (p, q) => typeof p === "number" && typeof q === "number" && p > 0 && q > 0;
    const gap = (p, q) => (numbers(p, q) ? Math.min(1, Math.abs(Math.log(p / q)) / 50) : Number(p !== q));
    const cost = (one) => COORDINATES.reduce((sum, [, of], i) =>
      i === k ? sum : sum + 4 ** (5 - Math.min(i, 5)) * (i < 6 ? Number(of(one) !== of(now)) : gap(of(one), of(now))), 0);
    const found = there.filter((one) => COORDINATES[k][1](one) === value);
    return settings.indexOf(found.reduce((best, one) => (cost(one) < cost(best) ? one : best)));
  };

  // --- the address --------------------------------------------------------------------------------------------------

  const remember = () => {
    const one = settings[state.n], parts = [`cell=${state.key || one.cells[0][0]}`];
    parts.push(`beta=${state.beta}`);
    if (!state.band) parts.push("band=0");
    if (state.stretch) parts.push("stretch=1");
    if (state.all) parts.push("all=1");
    history.replaceState(null, "", `#${parts.join("&")}`);
  };
  const follow = () => {
    const asked = new Map(location.hash.slice(1).split("&").map((part) => part.split("=")));
    if (asked.has("beta") && Number(asked.get("beta")) >= 0 && Number(asked.get("beta")) <= 1) state.beta = Number(asked.get("beta"));
    if (asked.has("band")) state.band = asked.get("band") !== "0";
    if (asked.has("stretch")) state.stretch = asked.get("stretch") === "1";
    if (asked.has("all")) state.all = asked.get("all") === "1";
    $("band").checked = state.band;
    $("stretch").checked = state.stretch;
    if ($("all")) $("all").checked = state.all;
    $("beta").value = Math.round(1000 * along(state.beta));
    const key = asked.get("cell"), place = data.scenarios.findIndex((one) => String(one.number) === asked.get("scenario"));
    if (byKey.has(key)) choose(byKey.get(key), key);
    else choose(place >= 0 ? start(place) : state.n);
    if (place >= 0) document.querySelector(`[data-scenario="${place}"]`).scrollIntoView();
  };
  window.addEventListener("hashchange", follow);

  // --- what the reader does -----------------------------------------------------------------------------------------

  $("beta").addEventListener("input", (event) => setBeta(back(event.target.value / 1000)));
  for (const option of ["band", "stretch", "all"])
    $(option)?.addEventListener("change", (event) => {
      state[option] = event.target.checked;
      $("beta").value = Math.round(1000 * along(state.beta));
      sections();
      show();
      remember();
    });
  const look = (target) => {
    const mark = target.closest?.("[data-n]");
    const n = mark ? Number(mark.dataset.n) : null;
    if (n === peek || (n !== null && !settings[n].cells.length)) return;
    peek = n;
    show();
  };
  const scenarios = document.querySelector(".scenarios");
  scenarios.addEventListener("pointerover", (event) => look(event.target));
  scenarios.addEventListener("pointerleave", () => { if (peek !== null) { peek = null; show(); } });
  scenarios.addEventListener("focusin", (event) => look(event.target));
  scenarios.addEventListener("focusout", () => { if (peek !== null) { peek = null; show(); } });
  scenarios.addEventListener("click", (event) => {
    const mark = event.target.closest("[data-n]"), link = event.target.closest('a[href^="#cell="]');
    const n = mark ? Number(mark.dataset.n) : link ? byKey.get(link.getAttribute("href").slice(6)) : undefined;
    if (n === undefined || !settings[n].cells.length) return;
    event.preventDefault(); // the address is kept, the page stays where it is
    choose(n);
    remember();
    const box = $("explorer").getBoundingClientRect();
    if (box.bottom < 80 || box.top > window.innerHeight - 80) $("explorer").scrollIntoView();
  });
  // One stop a map for the tab key; the arrows go from cell to cell.
  for (const map of document.querySelectorAll('svg[role="group"]')) {
    const links = [...map.querySelectorAll("a")];
    const place = (link) => ["x", "y"].map((name) => Number(link.querySelector("rect").getAttribute(name)));
    links.forEach((link, k) => link.setAttribute("tabindex", k ? -1 : 0));
    map.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const from = event.target.closest("a");
      if (!way || !from) return;
      event.preventDefault();
      const [x, y] = place(from);
      const ahead = links
        .map((link) => [link, place(link)])
        .filter(([, [a, b]]) => (way[0] ? b === y && (a - x) * way[0] > 0 : a === x && (b - y) * way[1] > 0))
        .sort(([, p], [, q]) => Math.hypot(p[0] - x, p[1] - y) - Math.hypot(q[0] - x, q[1] - y));
      if (!ahead.length) return;
      from.setAttribute("tabindex", -1);
      ahead[0][0].setAttribute("tabindex", 0);
      ahead[0][0].focus();
    });
  }
  follow();
})();
