// SPDX-License-Identifier: MIT
// The kernel's log: it follows, is filtered, and holds so many lines and no more.

const KEPT = 2000;
const LEVELS = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
const CHOICES = [[7, "All levels"], [6, "info or worse"], [5, "notice or worse"], [4, "warning or worse"],
  [3, "error or worse"]];

function makeLog(send, announce) {
  const lines = make("div", { class: "lines", role: "log", "aria-live": "off", tabindex: "0" });
  const level = make("select", { "aria-label": "Level" },
    ...CHOICES.map(([value, text]) => make("option", { value }, text)));
  const words = make("input", { type: "search", placeholder: "Filter", "aria-label": "Only lines with this text",
    spellcheck: "false" });
  const follow = make("input", { type: "checkbox", checked: true });
  const clear = make("button", { type: "button" }, "Clear");
  const count = make("span", { class: "count" });
  const bar = make("div", { class: "bar" }, level, words, make("label", { class: "tick" }, follow, "Follow"), clear,
    count);
  const { node, heading } = section("Kernel log", "log", bar, lines);
  lines.setAttribute("aria-labelledby", heading.id);
  let all = [];
  let missing = 0;

  const fits = ([rank, , text]) =>
    rank < 0 || (rank <= Number(level.value) && text.toLowerCase().includes(words.value.toLowerCase()));

  function row([rank, seconds, text]) {
    if (rank < 0) return make("div", { class: "remark" }, text);
    const name = rank <= 5 ? LEVELS[rank] : "";
    return make("div", { class: `line level${rank}` },
      make("span", { class: "time" }, seconds.toFixed(6)),
      make("span", { class: "level" }, name),
      make("span", { class: "text" }, text));
  }

  function tell() {
    const shown = lines.childElementCount;
    const left = missing ? `, ${missing.toLocaleString("en")} left out` : "";
    const held = `${all.length} ${all.length === 1 ? "line" : "lines"}`;
    lines.dataset.empty = all.length ? "No line passes the filter." : "Nothing has been logged.";
    setText(count, (shown === all.length ? held : `${shown} of ${held}`) + left);
    toEnd();
  }

  /** Lines that take more room than was thought say so only when they are drawn, so the end is looked for again. */
  function toEnd(frames = 3) {
    if (!follow.checked) return;
    lines.scrollTop = lines.scrollHeight;
    if (frames) requestAnimationFrame(() => toEnd(frames - 1));
  }

  function again() {
    lines.replaceChildren(...all.filter(fits).map(row));
    tell();
  }

  function show(message) {
    const came = message.missing
      ? [[-1, 0, `${message.missing.toLocaleString("en")} lines are left out here`], ...message.lines]
      : message.lines;
    if (message.again) [all, missing] = [[], 0];
    missing += message.missing;
    all = all.concat(came).slice(-KEPT);
    if (message.again) return again();
    lines.append(...came.filter(fits).map(row));
    while (lines.childElementCount > KEPT) lines.firstChild.remove();
    const bad = message.lines.findLast(([rank]) => rank >= 0 && rank <= 3);
    if (bad) announce(`Kernel log, ${LEVELS[bad[0]]}: ${bad[2]}`);
    tell();
  }

  level.addEventListener("change", again);
  words.addEventListener("input", again);
  follow.addEventListener("change", tell);
  clear.addEventListener("click", () => {
    [all, missing] = [[], 0];
    again();
    send({ do: "clear" });
  });
  // Who scrolls back wants to read; who comes to the end again wants to follow.
  new ResizeObserver(() => toEnd()).observe(lines);
  lines.addEventListener("wheel", keepPlace, { passive: true });
  lines.addEventListener("touchmove", keepPlace, { passive: true });
  lines.addEventListener("keyup", keepPlace);
  function keepPlace() {
    requestAnimationFrame(() => {
      follow.checked = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 4;
    });
  }

  return { node, show };
}
