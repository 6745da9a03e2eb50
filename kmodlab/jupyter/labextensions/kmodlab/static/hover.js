// SPDX-License-Identifier: MIT
// What the kernel's headers say of the name below the pointer: asked of the Jupyter kernel, as Shift+Tab does.

import { holdsC } from './cells.js';
import { shared } from './packages.js';

const { syntaxTree } = shared('@codemirror/language');
const { EditorView, hoverTooltip } = shared('@codemirror/view');

const NO_NAME = /Comment|String|Char|Magic|Number|SystemLib/;

const theme = EditorView.baseTheme({
  '.kmodlab-hover': { maxWidth: '48em', maxHeight: '22em', overflow: 'auto', padding: '.2em .6em' },
});

/** The Jupyter kernel of the notebook that an editor belongs to, if it has nothing to do now: it would not answer. */
function idleKernel(notebooks, view) {
  const panel = notebooks.find(({ content }) => content.node.contains(view.dom));
  const kernel = panel?.sessionContext.session?.kernel;
  return kernel?.status === 'idle' ? kernel : null;
}

async function ask(kernel, state, end) {
  const code = state.doc.toString();
  // The protocol counts characters, a string of JavaScript counts half of those beyond the first plane.
  const cursor_pos = [...code.slice(0, end)].length;
  const { content } = await kernel.requestInspect({ code, cursor_pos, detail_level: 0 });
  return content.status === 'ok' && content.found && content.metadata.kmodlab ? content.data : null;
}

/** Return the extension of an editor that shows what a name means while the pointer rests on it. */
export function hoverFor(notebooks, rendermime) {
  const tip = hoverTooltip(async (view, position) => {
    const word = view.state.wordAt(position);
    const node = syntaxTree(view.state).resolveInner(position, 1);
    const kernel = word && !NO_NAME.test(node.name) && idleKernel(notebooks, view);
    if (!kernel || !holdsC(view.state.doc.toString())) {
      return null;
    }
    const data = await ask(kernel, view.state, word.to);
    if (!data) {
      return null;
    }
    const renderer = rendermime.createRenderer('text/html');
    await renderer.renderModel(rendermime.createModel({ data, trusted: true }));
    renderer.addClass('kmodlab-hover');
    return {
      pos: word.from,
      end: word.to,
      above: true,
      create: () => ({ dom: renderer.node, destroy: () => renderer.dispose() }),
    };
  });
  return [theme, tip];
}
