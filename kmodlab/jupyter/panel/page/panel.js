// SPDX-License-Identifier: MIT
// Puts the parts together, and tells Python whether anybody looks.

const ALIVE_EVERY = 20_000;

function makeTabs(label, tabs) {
  const list = make("div", { class: "tabs", role: "tablist", "aria-label": label });
  const node = make("section", { class: "shells", "aria-label": label }, list);
  const buttons = tabs.map(({ title, page }, place) => {
    const id = newId();
    const button = make("button", { type: "button", role: "tab", id, onclick: () => choose(place) }, title);
    page.setAttribute("role", "tabpanel");
    page.setAttribute("aria-labelledby", id);
    page.id = newId();
    button.setAttribute("aria-controls", page.id);
    list.append(button);
    node.append(page);
    return button;
  });

  function choose(place) {
    tabs.forEach(({ page, opened }, number) => {
      const chosen = number === place;
      page.hidden = !chosen;
      buttons[number].setAttribute("aria-selected", String(chosen));
      buttons[number].tabIndex = chosen ? 0 : -1;
      if (chosen && opened) opened();
    });
  }

  list.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const now = buttons.indexOf(document.activeElement);
    const next = (now + step + tabs.length) % tabs.length;
    choose(next);
    buttons[next].focus();
  });
  choose(0);
  return { node };
}

/** The terminal's colours: those of the page's theme. */
function coloursOf(node) {
  return () => {
    const style = getComputedStyle(node);
    const colour = (name) => style.getPropertyValue(name).trim();
    return { background: colour("--field"), foreground: colour("--ink"), cursor: colour("--ink"),
      selectionBackground: colour("--selection") };
  };
}

function makeAnswer() {
  const said = make("p", { class: "said", role: "status" });
  const unseen = make("p", { class: "unseen", "aria-live": "polite" });
  const node = make("div", { class: "answers" }, said, unseen);

  function show({ ok, text }) {
    said.dataset.ok = String(ok);
    said.dataset.when = new Date().toLocaleTimeString("en-GB");
    setText(said, text);
  }

  return { node, show, announce: (text) => setText(unseen, text) };
}

function render({ model, el }) {
  const page = newId() + Math.random().toString(36).slice(2);
  const send = (message) => {
    try {
      model.send(message);
    } catch {
      end(); // the Jupyter kernel has, and its machines with it: there is nobody to tell
    }
  };
  const root = make("div", { class: "kmodlab-panel", role: "region", "aria-label": "Panel of the machine",
    // JupyterLab's single-key commands, such as d d, are not meant for who works in here.
    "data-lm-suppress-shortcuts": "true" });
  root.addEventListener("keydown", (event) => {
    // Inside a notebook's output a browser does not do this by itself.
    if (event.key === "Enter" && event.target.matches("form input")) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  });
  const machine = makeMachine(send);
  const answer = makeAnswer();
  const loaded = makeLoaded(send);
  const built = makeBuilt(send);
  const plot = makePlot();
  const log = makeLog(send, answer.announce);
  const commands = makeCommands(send);
  const terminal = makeTerminal(model, send, coloursOf(root));
  const tabs = makeTabs("Shell of the machine", [
    { title: "Command line", page: commands.node },
    { title: "Terminal", page: terminal.node, opened: () => terminal.fitIn() },
  ]);
  root.append(machine.node, answer.node, make("div", { class: "columns" },
    make("div", {}, loaded.node, built.node), plot.node), log.node, tabs.node);
  el.append(root);

  const takers = {
    machine: machine.show, modules: loaded.show, built: built.show, samples: plot.show, log: log.show,
    history: commands.recall, command: commands.show, terminal: terminal.show, screen: terminal.print,
    answer: (message) => {
      answer.show(message);
      for (const part of [machine, loaded, built]) part.done(message.name);
    },
  };
  const hear = (message, buffers) => {
    if (message.page && message.page !== page) return;
    const taker = takers[message.see];
    if (taker) taker(message, buffers);
  };
  model.on("msg:custom", hear);
  function end() {
    machine.end();
    root.inert = true;
  }
  model.on("comm_live_update", end);

  let inView = true;
  const isSeen = () => inView && document.visibilityState === "visible";
  const alive = (again) => isSeen() && send({ do: "alive", page, again });
  const look = () => (isSeen() ? alive(false) : send({ do: "away", page }));
  const watch = new IntersectionObserver(([entry]) => {
    if (inView !== entry.isIntersecting) {
      inView = entry.isIntersecting;
      look();
    }
  });
  watch.observe(root);
  document.addEventListener("visibilitychange", look);
  const heart = setInterval(() => alive(false), ALIVE_EVERY);
  const clock = setInterval(() => {
    if (isSeen()) for (const part of [machine, plot]) part.tick();
  }, 1000);
  const theme = new MutationObserver(terminal.paint);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  alive(true);

  return () => {
    send({ do: "away", page });
    model.off("msg:custom", hear);
    model.off("comm_live_update", end);
    clearInterval(heart);
    clearInterval(clock);
    document.removeEventListener("visibilitychange", look);
    for (const one of [watch, theme]) one.disconnect();
    terminal.close();
  };
}

export default { render };
