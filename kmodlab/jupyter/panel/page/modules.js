// SPDX-License-Identifier: MIT
// Loaded modules with what holds them, and built ones with their parameters.

function makeLoaded(send) {
  const columns = ["module", "size", "refcount", "used by"];
  const ours = makeTable("Modules of your own", columns, send);
  const theirs = makeTable("Modules of the distribution", columns, send);
  const none = make("p", { class: "empty" }, "None of your own.");
  const summary = make("summary", {}, "0 of the distribution");
  const rest = make("details", {}, summary, theirs.node);
  const { node, heading } = section("Loaded modules", "loaded", none, ours.node, rest);

  function show({ rows, alive }) {
    setText(none, alive ? "None of your own." : "The machine does not run.");
    rest.hidden = !alive;
    const mine = rows.filter((row) => row.ours);
    const others = rows.filter((row) => !row.ours);
    const hadFocus = node.contains(document.activeElement);
    ours.show(mine);
    theirs.show(others);
    ours.node.hidden = mine.length === 0;
    none.hidden = mine.length > 0;
    setText(summary, `${others.length} of the distribution`);
    // The button that was pressed has gone with its row.
    if (hadFocus && !node.contains(document.activeElement)) heading.focus();
  }

  return { node, show, done: (name) => [ours, theirs].forEach((table) => table.done(name)) };
}

function makeTable(caption, columns, send) {
  const body = make("tbody");
  const head = columns.map((title) => make("th", { scope: "col" }, title));
  head.push(make("td"));
  const node = make(
    "table",
    {},
    make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, ...head)),
    body,
  );
  const rows = new Map();

  function makeRow(name) {
    const cells = columns.slice(1).map(() => make("td"));
    const unload = make("button", {
      type: "button",
      "aria-label": `Unload ${name}`,
      onclick: () => {
        unload.setAttribute("aria-busy", "true");
        send({ do: "unload", name });
      },
    }, "Unload");
    const row = make("tr", {}, make("th", { scope: "row" }, name), ...cells, make("td", {}, unload));
    return { row, cells, unload };
  }

  function show(modules) {
    const names = new Set(modules.map((module) => module.name));
    for (const [name, { row }] of rows) {
      if (!names.has(name)) {
        row.remove();
        rows.delete(name);
      }
    }
    modules.forEach((module, place) => {
      if (!rows.has(module.name)) rows.set(module.name, makeRow(module.name));
      const { row, cells, unload } = rows.get(module.name);
      const state = module.state === "Live" ? "" : ` (${module.state.toLowerCase()})`;
      setText(cells[0], sizeText(module.size));
      setText(cells[1], module.refs === null ? "not counted" : String(module.refs));
      setText(cells[2], module.holders.join(", ") + state);
      unload.hidden = module.permanent;
      if (body.children[place] !== row) body.insertBefore(row, body.children[place] || null);
    });
  }

  function done(name) {
    const found = rows.get(name);
    if (found) found.unload.removeAttribute("aria-busy");
  }

  return { node, show, done };
}

function makeBuilt(send) {
  const list = make("ul", { class: "forms" });
  const none = make("p", { class: "empty" }, "Nothing yet: build one with %%kmod, or one of the lab's own here.");
  const choice = make("select", { "aria-label": "A module that comes with the lab" });
  const build = make("button", { type: "submit" }, "Build");
  const offer = make("form", { class: "offer", onsubmit: order }, choice, build);
  const { node } = section("Built modules", "built", none, list, offer);
  const forms = new Map();

  function order(event) {
    event.preventDefault();
    build.setAttribute("aria-busy", "true");
    send({ do: "build", name: choice.value });
  }

  function makeForm({ name, parameters }) {
    const fields = parameters.map((parameter) => {
      const hint = parameter.text ? `${parameter.type}: ${parameter.text}` : parameter.type;
      const input = make("input", { type: "text", name: parameter.name, placeholder: parameter.type || "value",
        title: hint, autocomplete: "off", spellcheck: "false" });
      return make("label", {}, make("span", {}, parameter.name), input);
    });
    const load = make("button", { type: "submit", "aria-label": `Load ${name}` }, "Load");
    const form = make("form", {
      "aria-label": name,
      onsubmit: (event) => {
        event.preventDefault();
        const given = [...form.querySelectorAll("input")].filter((input) => input.value !== "");
        load.setAttribute("aria-busy", "true");
        send({ do: "load", name, parameters: Object.fromEntries(given.map((input) => [input.name, input.value])) });
      },
    }, make("strong", {}, name), make("div", { class: "fields" }, ...fields), load);
    return { item: make("li", {}, form), load, key: JSON.stringify(parameters) };
  }

  function show({ built, offered }) {
    const names = new Set(built.map((module) => module.name));
    for (const [name, { item, key }] of forms) {
      const now = built.find((module) => module.name === name);
      if (!names.has(name) || JSON.stringify(now.parameters) !== key) {
        item.remove();
        forms.delete(name);
      }
    }
    for (const module of built) {
      if (!forms.has(module.name)) {
        forms.set(module.name, makeForm(module));
        list.prepend(forms.get(module.name).item);
      }
    }
    none.hidden = built.length > 0;
    if (choice.dataset.names !== offered.join()) {
      choice.dataset.names = offered.join();
      choice.replaceChildren(...offered.map((name) => make("option", {}, name)));
    }
    offer.hidden = offered.length === 0;
  }

  function done(name) {
    build.removeAttribute("aria-busy");
    if (forms.has(name)) forms.get(name).load.removeAttribute("aria-busy");
  }

  return { node, show, done };
}
