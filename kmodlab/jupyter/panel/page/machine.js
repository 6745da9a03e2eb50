// SPDX-License-Identifier: MIT
// The head of the panel: what the machine is, and what can be done to it.

const STATES = {
  "not started": "Not started",
  running: "Running",
  paused: "Paused",
  lost: "Lost",
  closed: "Stopped",
  dozing: "Dozing",
  silent: "Not answering",
  ended: "Ended",
};
const REASONS = {
  dozing: "it stands still until somebody talks to it",
  silent: "for two seconds or longer",
  ended: "with its Jupyter kernel; run the cell again",
};

function makeMachine(send) {
  const state = make("strong", { class: "state" });
  const why = make("span", { class: "why" });
  const light = make("span", { class: "light", "aria-hidden": "true" });
  const facts = make("dl", { class: "facts" });
  const fresh = make("button", { type: "button", class: "primary", onclick: () => act("fresh") });
  const pause = make("button", { type: "button", onclick: () => act(pause.dataset.verb) });
  const nmi = make(
    "button",
    {
      type: "button",
      title: "Non-maskable interrupt: the kernel panics, and its log shows where each processor was",
      onclick: () => act("nmi"),
    },
    "NMI",
  );
  const buttons = make("div", { class: "buttons", role: "group", "aria-label": "Machine" }, fresh, pause, nmi);
  const node = make("div", { class: "head" }, make("div", { class: "who" }, light,
    make("div", { class: "what" }, state, why), facts), buttons);
  const shown = new Map();
  let last = {};

  function act(verb) {
    busy(verb);
    send({ do: verb });
  }

  function busy(verb) {
    const button = verb === "fresh" ? fresh : verb === "nmi" ? nmi : pause;
    button.setAttribute("aria-busy", "true");
  }

  function fact(label, text, title) {
    if (!shown.has(label)) {
      const value = make("dd");
      const pair = make("div", {}, make("dt", {}, label), value);
      facts.append(pair);
      shown.set(label, { pair, value });
    }
    const { pair, value } = shown.get(label);
    pair.hidden = !text;
    setText(value, text || "");
    if (title) value.title = title;
  }

  function tick() {
    if (last.booted && !last.dozing) fact("up", timeText(Date.now() / 1000 - last.booted));
  }

  function show(machine) {
    last = machine;
    const silent = machine.silent && machine.state === "running";
    const manner = machine.dozing ? "dozing" : silent ? "silent" : machine.state;
    node.dataset.state = manner;
    setText(state, STATES[manner] || manner);
    setText(why, REASONS[manner] || machine.reason);
    fact("kernel", machine.kernel);
    fact("accelerator", machine.accelerator);
    fact("processors", String(machine.cpus));
    fact("memory", `${machine.memory} MiB`);
    fact("up", machine.uptime === null ? "" : timeText(machine.uptime));
    fact("taint", machine.taints, machine.taint_words);
    tick();
    const started = machine.state !== "not started" && machine.state !== "closed";
    setText(fresh, started ? "Fresh machine" : "Start");
    const paused = machine.state === "paused";
    pause.dataset.verb = paused ? "resume" : "pause";
    setText(pause, paused ? "Resume" : "Pause");
    pause.disabled = !paused && machine.state !== "running";
    nmi.disabled = machine.state !== "running";
  }

  function done() {
    for (const button of [fresh, pause, nmi]) button.removeAttribute("aria-busy");
  }

  const end = () => show({ ...last, state: "ended", dozing: false, booted: null, uptime: null });

  return { node, show, tick, done, end };
}
