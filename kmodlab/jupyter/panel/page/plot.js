// SPDX-License-Identifier: MIT
// Memory and refcounts over the last two minutes, drawn anew once a second: between two answers of the guest the last
// one holds, since a guest that is not asked has done nothing.

const SPAN = 120;
const HUES = ["one", "two", "three", "four", "five"];

function makePlot() {
  const memory = makeChart("Memory in use", 92, "not measured yet");
  const refs = makeChart("Refcounts of your modules", 76, "none loaded");
  const { node } = section("Memory and refcounts", "plot", memory.node, refs.node);
  let samples = [];
  let offset = 0;

  function show(message) {
    offset = message.now - performance.now() / 1000;
    samples = (message.again ? [] : samples).concat(message.samples).slice(-600);
    tick();
  }

  function tick() {
    const now = performance.now() / 1000 + offset;
    const first = samples.findLastIndex((sample) => sample.t < now - SPAN);
    samples = samples.slice(Math.max(0, first));
    const names = [...new Set(samples.flatMap((sample) => Object.keys(sample.refs)))].slice(-HUES.length);
    const used = samples.map((sample) => [sample.t - now, sample.used / 1024 / 1024]);
    memory.show([{ name: "", points: used }], (value) => `${value.toFixed(1)} MiB`, 2);
    const lines = names.map((name) => ({
      name,
      points: samples.map((sample) => [sample.t - now, sample.refs[name] ?? null]),
    }));
    refs.show(lines, (value) => String(Math.round(value)), 1, 0);
  }

  return { node, show, tick };
}

function makeChart(title, height, empty) {
  const words = make("span", { class: "now" });
  const picture = draw("svg", { role: "img", height, width: "100%" });
  const node = make("figure", {}, make("figcaption", {}, make("span", {}, title), words), picture);
  let width = 300;
  let before = null;
  const watch = new ResizeObserver(([entry]) => {
    width = Math.max(120, entry.contentRect.width);
  });
  watch.observe(node);

  function show(lines, say, least, base = Infinity) {
    const values = lines.flatMap((line) => line.points.map((point) => point[1])).filter((value) => value !== null);
    const low = values.length ? Math.floor(Math.min(base, ...values)) : 0;
    const high = Math.max(values.length ? Math.ceil(Math.max(...values)) : 1, low + least);
    const text = lines
      .filter((line) => line.points.length && line.points.at(-1)[1] !== null)
      .map((line) => `${line.name} ${say(line.points.at(-1)[1])}`.trim())
      .join(", ");
    const told = `${text}; ${lines.map((line) => line.name)}`;
    if (before !== told) {
      const known = text || lines.some((line) => line.name);
      words.replaceChildren(...(known ? lines.map((line, number) => legend(line, number, say)) : [empty]));
      picture.setAttribute("aria-label", `${title}: now ${text || empty}; the last two minutes`);
    }
    before = told;
    const area = { left: 34, right: width - 4, top: 6, bottom: height - 16 };
    const x = (seconds) => area.right + (Math.max(seconds, -SPAN) / SPAN) * (area.right - area.left);
    const y = (value) => area.bottom - ((value - low) / (high - low)) * (area.bottom - area.top);
    const parts = [low, high].flatMap((value) => [
      draw("line", { class: "grid", x1: area.left, x2: area.right, y1: y(value), y2: y(value) }),
      draw("text", { x: area.left - 5, y: y(value) + 4, "text-anchor": "end" }, values.length ? String(value) : ""),
    ]);
    parts.push(draw("text", { x: area.left, y: height - 3 }, "2 min ago"));
    parts.push(draw("text", { x: area.right, y: height - 3, "text-anchor": "end" }, "now"));
    lines.forEach((line, number) => {
      parts.push(draw("path", { class: `curve ${HUES[number]}`, d: steps(line.points, x, y) }));
    });
    picture.replaceChildren(...parts);
  }

  return { node, show, close: () => watch.disconnect() };
}

/** What a line is and where it stands, with a piece of it. */
function legend({ name, points }, number, say) {
  const value = points.at(-1)[1];
  const words = value === null ? `${name} gone` : `${name} ${say(value)}`.trim();
  if (!name) return make("span", {}, words);
  const key = draw("svg", { class: "key", viewBox: "0 0 18 8", "aria-hidden": "true" });
  key.append(draw("path", { class: `curve ${HUES[number]}`, d: "M0 4H18" }));
  return make("span", {}, key, words);
}

/** A line in steps: each value holds until the next one. */
function steps(points, x, y) {
  let path = "";
  let open = false;
  points.forEach(([seconds, value], place) => {
    if (value === null) {
      open = false;
      return;
    }
    const until = place + 1 < points.length ? points[place + 1][0] : 0;
    path += `${open ? "L" : "M"}${x(seconds).toFixed(1)} ${y(value).toFixed(1)}H${x(until).toFixed(1)}`;
    open = true;
  });
  return path || "M0 0";
}
