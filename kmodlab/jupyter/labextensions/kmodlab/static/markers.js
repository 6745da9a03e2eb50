// SPDX-License-Identifier: MIT
// What the compiler said of a cell, at its lines: it stands in the cell's outputs as data, so that it is there again
// when the notebook is opened, and moves along with the text until the cell runs again.

import { forEachCell } from './cells.js';
import { shared } from './packages.js';

const { Compartment, RangeSet, StateField } = shared('@codemirror/state');
const { Decoration, EditorView, GutterMarker, gutter, hoverTooltip } = shared('@codemirror/view');

/** The mime type of an output's list of {line, column, severity, message, hint}. */
const DATA = 'application/vnd.kmodlab.diagnostics+json';

const SIGNS = { error: '●', warning: '▲', note: '■' };

const theme = EditorView.baseTheme({
  '.kmodlab-gutter': { paddingInline: '3px', fontSize: '80%' },
  '.kmodlab-sign-error': { color: 'var(--jp-error-color1, #d55e00)' },
  '.kmodlab-sign-warning': { color: 'var(--jp-warn-color1, #e69f00)' },
  '.kmodlab-sign-note': { color: 'var(--jp-info-color1, #56b4e9)' },
  '.kmodlab-mark': { textDecoration: 'underline wavy', textUnderlineOffset: '3px', textDecorationThickness: '1px' },
  '.kmodlab-mark-error': { textDecorationColor: 'var(--jp-error-color1, #d55e00)' },
  '.kmodlab-mark-warning': { textDecorationColor: 'var(--jp-warn-color1, #e69f00)' },
  '.kmodlab-mark-note': { textDecorationColor: 'var(--jp-info-color1, #56b4e9)' },
  '.kmodlab-tip': { padding: '.3em .6em', maxWidth: '42em', color: 'var(--jp-content-font-color1)' },
});

class Sign extends GutterMarker {
  constructor(found) {
    super();
    this.found = found;
  }

  toDOM() {
    const sign = document.createElement('span');
    const { severity } = this.found[0];
    sign.className = `kmodlab-sign-${severity}`;
    sign.textContent = SIGNS[severity];
    sign.title = this.found.map(words).join('\n');
    return sign;
  }
}

function words({ severity, message, hint }) {
  return `${severity}: ${message}${hint ? `\nhint: ${hint}` : ''}`;
}

/** The piece of text that a diagnostic is about: the word at its column, or else the whole line. */
function extent(doc, { line, column }) {
  const { from, text } = doc.line(line);
  const indent = text.length - text.trimStart().length;
  const start = column && column <= text.length ? column - 1 : indent;
  const word = text.slice(start).match(column ? /^(\w+|\S)/ : /^.+/);
  return { from: from + start, to: from + start + (word ? word[0].length : 0) };
}

/** Return the extension of an editor that shows what was found in its text. */
function marking(doc, found) {
  const placed = found.filter(({ line }) => line >= 1 && line <= doc.lines);
  const lines = new Map();
  for (const one of placed) {
    const { from } = doc.line(one.line);
    lines.set(from, [...(lines.get(from) ?? []), one]);
  }
  const marks = placed
    .map((one) => ({ ...extent(doc, one), found: one }))
    .filter(({ from, to }) => to > from)
    .map(({ from, to, found: one }) =>
      Decoration.mark({
        class: `kmodlab-mark kmodlab-mark-${one.severity}`,
        attributes: { 'aria-description': words(one) },
        found: one,
      }).range(from, to),
    );
  const signs = [...lines].map(([from, some]) => new Sign(some).range(from));
  const field = StateField.define({
    create: () => ({ marks: Decoration.set(marks, true), signs: RangeSet.of(signs, true) }),
    update: (value, { changes }) =>
      changes.empty ? value : { marks: value.marks.map(changes), signs: value.signs.map(changes) },
    provide: (self) => EditorView.decorations.from(self, ({ marks: shown }) => shown),
  });
  const tip = hoverTooltip(({ state }, position) => {
    let answer = null;
    state.field(field).marks.between(position, position, (from, to, { spec }) => {
      answer ??= { pos: from, end: to, above: true, create: () => ({ dom: tipOf(spec.found) }) };
    });
    return answer;
  });
  return [theme, field, tip, gutter({ class: 'kmodlab-gutter', markers: ({ state }) => state.field(field).signs })];
}

function tipOf(found) {
  const dom = document.createElement('div');
  dom.className = 'kmodlab-tip';
  dom.style.whiteSpace = 'pre-wrap';
  dom.textContent = words(found);
  return dom;
}

function diagnosticsIn(outputs) {
  const found = [];
  for (let number = 0; number < outputs.length; number += 1) {
    const output = outputs.get(number);
    // To ask a stream for its data is to have all of its text put together, at each of its lines.
    if (output.type !== 'stream') {
      found.push(...(output.data[DATA] ?? []));
    }
  }
  return found;
}

const slots = new WeakMap();

function show(editor, found) {
  const view = editor.editor;
  if (!slots.has(view)) {
    if (!found.length) {
      return;
    }
    slots.set(view, new Compartment());
    editor.injectExtension(slots.get(view).of([]));
  }
  const content = found.length ? marking(view.state.doc, found) : [];
  view.dispatch({ effects: slots.get(view).reconfigure(content) });
}

/** Show in the cells of a notebook what their outputs know of them. */
export function keepMarkers(panel) {
  forEachCell(panel, (cell) => {
    let shown = '[]';
    const look = async () => {
      await cell.ready;
      if (cell.isDisposed) {
        return;
      }
      const found = diagnosticsIn(cell.model.outputs);
      if (JSON.stringify(found) !== shown) {
        shown = JSON.stringify(found);
        show(cell.editor, found);
      }
    };
    cell.model.outputs.changed.connect(look);
    look();
  });
}
