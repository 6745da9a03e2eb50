// SPDX-License-Identifier: MIT
// The language of a cell that holds C below a magic: the first line is no C, the rest is, in the kernel's style.

import { shared } from './packages.js';

const {
  HighlightStyle,
  Language,
  LanguageSupport,
  defineLanguageFacet,
  indentService,
  indentUnit,
  languageDataProp,
  syntaxHighlighting,
  syntaxTree,
} = shared('@codemirror/language');
const { EditorState, Prec } = shared('@codemirror/state');
const { NodeType, Parser, Tree } = shared('@lezer/common');
const { styleTags, tags } = shared('@lezer/highlight');

/** The mime type under which such a cell is known to JupyterLab. */
export const MIME = 'text/x-kmodlab-c';

const data = defineLanguageFacet();
const cellType = NodeType.define({ id: 0, name: 'Cell', top: true, props: [[languageDataProp, data]] });
const magicType = NodeType.define({ id: 1, name: 'Magic', props: [styleTags({ Magic: tags.meta })] });

/** Reads the magic's line itself and leaves what stands below it to the parser of C. */
class CellParser extends Parser {
  constructor(c) {
    super();
    this.c = c;
  }

  createParse(input, fragments, ranges) {
    const end = ranges.at(-1).to;
    const start = magicEnd(input.read(0, end));
    const magic = new Tree(magicType, [], [], start);
    const whole = (c) => new Tree(cellType, c ? [magic, c] : [magic], c ? [0, start] : [0], end);
    if (start >= end) {
      return { advance: () => whole(null), parsedPos: end, stopAt() {}, stoppedAt: null };
    }
    const inner = this.c.startParse(input, fragments, [{ from: start, to: end }]);
    return {
      advance() {
        const c = inner.advance();
        return c && whole(c);
      },
      get parsedPos() {
        return inner.parsedPos;
      },
      get stoppedAt() {
        return inner.stoppedAt;
      },
      stopAt: (position) => inner.stopAt(position),
    };
  }
}

/** Where the line of the magic ends, which is the first that is not empty. */
function magicEnd(text) {
  return text.match(/^\s*[^\n]*(\n|$)/)[0].length;
}

/** Labels as the kernel has them: those of a switch below the word switch, those of goto in the first column. */
const kernelLabels = indentService.of((context, position) => {
  const text = context.textAfterPos(position);
  if (/^\s*(case\b|default\s*:)/.test(text)) {
    for (let node = syntaxTree(context.state).resolveInner(position, -1); node; node = node.parent) {
      if (node.name === 'SwitchStatement') {
        return context.lineIndent(node.from);
      }
    }
  }
  return /^\s*[a-z_]\w*:(?!:)/.test(text) ? 0 : undefined;
});

/** JupyterLab's theme has a colour for types of the library only in Python; in C they are a good part of the text. */
const types = syntaxHighlighting(
  HighlightStyle.define([
    { tag: tags.typeName, color: 'var(--jp-mirror-editor-builtin-color)' },
    { tag: tags.definition(tags.typeName), color: 'var(--jp-mirror-editor-def-color)' },
  ]),
);

/** Return what JupyterLab's registry wants to know of the language; `more` are further extensions of its editors. */
export function cellLanguage(languages, more) {
  return {
    name: 'kmodlab-c',
    displayName: 'C (kmodlab)',
    mime: MIME,
    extensions: [],
    async load() {
      const c = (await languages.getLanguage('text/x-csrc')).support;
      const language = new Language(data, new CellParser(c.language.parser), [], 'kmodlab-c');
      // These outrank the notebook's own settings, which are those for Python.
      const style = Prec.highest([indentUnit.of('\t'), EditorState.tabSize.of(8), kernelLabels]);
      return new LanguageSupport(language, [c.support, style, types, ...more]);
    },
  };
}
