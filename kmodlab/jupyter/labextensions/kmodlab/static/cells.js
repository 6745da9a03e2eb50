// SPDX-License-Identifier: MIT
// Which cell is C: decided by its first line, as it is typed.

import { MIME } from './language.js';

const HOLDS_C = /^\s*%%(kmod|program)(\s|$)/;

/** Return whether a cell's text is C below a magic. */
export function holdsC(text) {
  return HOLDS_C.test(text);
}

/** Call `visit` with the widget of each code cell that a notebook has or gets. */
export function forEachCell(panel, visit) {
  const seen = new WeakSet();
  const look = () => {
    for (const cell of panel.content.widgets) {
      if (cell.model?.type === 'code' && !seen.has(cell)) {
        seen.add(cell);
        visit(cell);
      }
    }
  };
  const follow = () => {
    panel.content.model?.cells.changed.connect(look);
    look();
  };
  panel.content.modelChanged.connect(follow);
  follow();
}

/** Give the cells of a notebook that hold C their language, and take it away from those that no longer do. */
export function keepLanguages(panel, languages) {
  forEachCell(panel, (cell) => {
    const { model } = cell;
    const settle = async () => {
      // The editor changes over to a language when it has loaded it. If the one before came last, it would stay.
      await languages.getLanguage(model.mimeType);
      await languages.getLanguage(MIME);
      const isC = holdsC(model.sharedModel.getSource());
      if (isC !== (model.mimeType === MIME)) {
        model.mimeType = isC ? MIME : panel.content.codeMimetype;
      }
    };
    model.mimeTypeChanged.connect(settle);
    model.sharedModel.changed.connect((_, change) => {
      if (change.sourceChange) {
        settle();
      }
    });
    settle();
  });
}
