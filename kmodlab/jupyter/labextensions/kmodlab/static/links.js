// SPDX-License-Identifier: MIT
// A place in a cell, such as In[3]:12, is a link to "#In[3]:12" wherever an output names it. Elsewhere, as on a page
// that was made of the notebook, it leads nowhere and does no harm; here it puts the cursor there.

import { holdsC } from './cells.js';

const PLACE = /^#In\[(\d+)\]:(\d+)(?::(\d+))?$/;

/** The cell that bears a number, of several the one next above the link; or the cell itself that the link stands in. */
function cellOf(notebook, count, link) {
  const own = notebook.widgets.findIndex((cell) => cell.node.contains(link));
  const bears = ({ model }) => model.executionCount === count && holdsC(model.sharedModel.getSource());
  const above = notebook.widgets.slice(0, own + 1).findLastIndex(bears);
  const found = above >= 0 ? above : notebook.widgets.findIndex(bears);
  return found >= 0 ? found : own;
}

async function jump(notebook, index, line, column) {
  const cell = notebook.widgets[index];
  notebook.deselectAll();
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(index, 'smart');
  await cell.ready;
  notebook.mode = 'edit';
  const { editor } = cell;
  const position = { line: Math.min(line, editor.lineCount) - 1, column: Math.max(column, 1) - 1 };
  editor.focus();
  editor.setCursorPosition(position);
  editor.revealPosition(position);
}

/** Let the places that the outputs of a notebook name be followed, with the pointer and with the keyboard. */
export function followLinks(panel) {
  const follow = (event) => {
    const link = event.target.closest?.('.jp-OutputArea a[href^="#In["]');
    const place = link && PLACE.exec(link.getAttribute('href'));
    if (!place || !panel.node.contains(link)) {
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const [count, line, column] = place.slice(1).map((digits) => Number(digits ?? 1));
    jump(panel.content, cellOf(panel.content, count, link), line, column);
  };
  const pressed = (event) => {
    if (event.key === 'Enter') {
      follow(event);
    }
  };
  // At the window, and before anyone else: JupyterLab's own Enter would open the cell instead.
  panel.node.addEventListener('click', follow, true);
  window.addEventListener('keydown', pressed, true);
  panel.disposed.connect(() => window.removeEventListener('keydown', pressed, true));
}
