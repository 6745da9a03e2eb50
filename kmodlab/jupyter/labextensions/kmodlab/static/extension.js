// SPDX-License-Identifier: MIT
// The plugin: brings the parts together for every notebook that is opened.

import { keepLanguages } from './cells.js';
import { hoverFor } from './hover.js';
import { cellLanguage } from './language.js';
import { followLinks } from './links.js';
import { keepMarkers } from './markers.js';
import { shared } from './packages.js';

const { IEditorLanguageRegistry } = shared('@jupyterlab/codemirror');
const { INotebookTracker } = shared('@jupyterlab/notebook');
const { IRenderMimeRegistry } = shared('@jupyterlab/rendermime');

export const plugin = {
  id: 'kmodlab:cells',
  description: 'C in the cells of kmodlab',
  autoStart: true,
  requires: [IEditorLanguageRegistry, INotebookTracker, IRenderMimeRegistry],
  activate(app, languages, notebooks, rendermime) {
    languages.addLanguage(cellLanguage(languages, [hoverFor(notebooks, rendermime)]));
    const attend = (panel) => {
      keepLanguages(panel, languages);
      keepMarkers(panel);
      followLinks(panel);
    };
    notebooks.forEach(attend);
    notebooks.widgetAdded.connect((_, panel) => attend(panel));
  },
};
