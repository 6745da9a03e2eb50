// SPDX-License-Identifier: MIT
// A terminal of the guest. Its code comes from Python when the first one is opened, so no network is asked.

const RESET = "\x1bc"; // in its place among what is written, unlike the call of that name
let library = null;

/** What the terminal's code exports; asked for once a page. */
function getLibrary(model, send) {
  library ??= new Promise((resolve) => {
    const take = (message, buffers) => {
      if (message.see !== "library") return;
      model.off("msg:custom", take);
      const [xterm, fit, css] = buffers.map((buffer) => new Blob([buffer], { type: "text/javascript" }));
      const urls = [xterm, fit].map((code) => URL.createObjectURL(code));
      resolve(Promise.all([...urls.map((url) => import(/* webpackIgnore: true */ url)), css.text()]));
    };
    model.on("msg:custom", take);
    send({ do: "library" });
  }).then(([xterm, fit, css]) => {
    document.head.append(make("style", {}, css));
    return { ...xterm, ...fit };
  });
  return library;
}

function makeTerminal(model, send, colours) {
  const screen = make("div", { class: "screen", role: "group", "aria-label": "Terminal" });
  const button = make("button", { type: "button" }, "Open a terminal");
  const words = make("p", { class: "hint" });
  const bar = make("div", { class: "bar" }, button, words);
  const node = make("div", {}, bar, screen);
  screen.hidden = true;
  let terminal = null;
  let fit = null;
  let state = "closed";
  let waiting = [];

  const size = () => ({ lines: terminal.rows, columns: terminal.cols });

  async function prepare() {
    if (terminal) return;
    const { Terminal, FitAddon } = await getLibrary(model, send);
    if (terminal) return;
    terminal = new Terminal({ screenReaderMode: true, scrollback: 2000, fontSize: 13, minimumContrastRatio: 4.5,
      theme: colours(), fontFamily: getComputedStyle(node).getPropertyValue("--mono"), cursorBlink: false });
    fit = new FitAddon();
    terminal.loadAddon(fit);
    screen.hidden = false;
    terminal.open(screen);
    terminal.onData((text) => send({ do: "type", text }));
    terminal.onResize(() => send({ do: "size", ...size() }));
    // Tab belongs to the shell; Shift+Tab leads out, so that nobody is caught in here.
    terminal.attachCustomKeyEventHandler((event) => {
      if (event.key !== "Tab" || !event.shiftKey) return true;
      if (event.type === "keydown") button.focus();
      event.preventDefault();
      return false;
    });
    fitIn();
    waiting.forEach((data) => terminal.write(data));
    waiting = [];
  }

  function fitIn() {
    if (terminal && screen.offsetParent) fit.fit();
  }

  const watch = new ResizeObserver(() => requestAnimationFrame(fitIn));
  watch.observe(screen);

  button.addEventListener("click", async () => {
    if (state === "open") return send({ do: "close" });
    button.setAttribute("aria-busy", "true");
    waiting = [];
    await prepare();
    terminal.write(RESET);
    send({ do: "open", ...size() });
    terminal.focus();
  });

  async function show(message) {
    state = message.state;
    const open = state === "open";
    setText(button, open ? "Close the terminal" : "Open a terminal");
    setText(words, open ? "Shift+Tab leaves it" : message.end);
    button.removeAttribute("aria-busy");
    if (open) await prepare();
    else if (terminal) terminal.write(message.end ? `\r\n\x1b[2m${message.end}\x1b[0m\r\n` : "");
  }

  function print(message, [data]) {
    const bytes = new Uint8Array(data.buffer ? data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) : data);
    if (message.again) {
      if (terminal) terminal.write(RESET);
      waiting = [];
    }
    if (terminal) terminal.write(bytes);
    else waiting.push(bytes);
  }

  return {
    node,
    show,
    print,
    fitIn,
    paint: () => terminal && (terminal.options.theme = colours()),
    close: () => {
      watch.disconnect();
      if (terminal) terminal.dispose();
    },
  };
}
