// SPDX-License-Identifier: MIT
// A line into the guest's shell, with what it printed and the lines before.

function makeCommands(send) {
  const output = make("div", { class: "output", role: "log", tabindex: "0", "aria-label": "What the commands printed",
    "data-empty": "What commands print is shown here." });
  const input = make("input", { type: "text", "aria-label": "Command in the machine", placeholder: "ls /sys/module",
    autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const run = make("button", { type: "submit" }, "Run");
  const prompt = make("span", { class: "prompt", "aria-hidden": "true" }, "#");
  const form = make("form", { class: "command", onsubmit: enter }, prompt, input, run);
  const node = make("div", {}, output, form);
  const shown = new Map();
  let history = [];
  let place = 0;
  let draft = "";

  function enter(event) {
    event.preventDefault();
    const line = input.value.trim();
    if (!line) return;
    if (history.at(-1) !== line) history.push(line);
    place = history.length;
    input.value = draft = "";
    send({ do: "run", line });
  }

  input.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || place + step < 0 || place + step > history.length) return;
    event.preventDefault();
    if (place === history.length) draft = input.value;
    place += step;
    input.value = place === history.length ? draft : history[place];
  });

  function show(entry) {
    if (!shown.has(entry.number)) {
      const text = make("pre");
      const end = make("p", { class: "end" });
      const item = make("div", { class: "entry" }, make("p", { class: "given" }, entry.line), text, end);
      output.append(item);
      shown.set(entry.number, { item, text, end });
    }
    const { item, text, end } = shown.get(entry.number);
    item.setAttribute("aria-busy", String(entry.running));
    setText(text, entry.text.replace(/\n$/, ""));
    text.hidden = !entry.text;
    setText(end, entry.end);
    end.hidden = !entry.end;
    while (output.childElementCount > 50) output.firstChild.remove();
    output.scrollTop = output.scrollHeight;
  }

  function recall({ lines }) {
    history = [...lines];
    place = history.length;
    output.replaceChildren();
    shown.clear();
  }

  return { node, show, recall };
}
