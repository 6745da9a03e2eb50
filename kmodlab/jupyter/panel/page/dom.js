// SPDX-License-Identifier: MIT
// Helpers of the panel's page. The files of this folder are joined, in the order that widget.py says, to one module.

/** Make an element. Text of the guest is only ever put in as text, never as markup. */
function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

function draw(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

let idCount = 0;

/** An id that no other element of the page has. */
function newId() {
  idCount += 1;
  return `kmodlab-panel-${idCount}`;
}

/** A text set only where it differs, so that nothing is drawn or read out for nothing. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function sizeText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${(bytes / 1024).toFixed(1).replace(/\.0$/, "")} kB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

function timeText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** A part of the panel with its heading. */
function section(title, className, ...children) {
  const id = newId();
  const heading = make("h3", { id, tabindex: "-1" }, title);
  return { node: make("section", { class: className, "aria-labelledby": id }, heading, ...children), heading };
}
