// SPDX-License-Identifier: MIT
// The packages that JupyterLab shares with its extensions. They must be its own: a second copy of CodeMirror's state
// or of a Lumino token is of no use to the first.

const NAMES = [
  '@codemirror/language',
  '@codemirror/state',
  '@codemirror/view',
  '@jupyterlab/codemirror',
  '@jupyterlab/notebook',
  '@jupyterlab/rendermime',
  '@lezer/common',
  '@lezer/highlight',
];

const taken = new Map();

/** Take the packages out of the share scope, which has for each name its versions, each with a get(). */
export async function take(scope) {
  await Promise.all(
    NAMES.map(async (name) => {
      const versions = Object.values(scope[name] ?? {});
      // JupyterLab itself is the one that has it in use; others may offer copies of their own.
      const chosen = versions.find((one) => one.loaded || one.eager) ?? versions.at(-1);
      if (!chosen) {
        throw new Error(`kmodlab: this JupyterLab does not share ${name}`);
      }
      const factory = await chosen.get();
      taken.set(name, factory());
    }),
  );
}

/** Return a shared package; take() comes first. */
export function shared(name) {
  return taken.get(name);
}
