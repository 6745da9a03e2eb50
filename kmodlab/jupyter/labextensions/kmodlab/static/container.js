// SPDX-License-Identifier: MIT
// What JupyterLab loads of a prebuilt extension: a script that leaves a container in window._JUPYTERLAB. JupyterLab
// calls its init() with the packages it shares and then its get() for the extension. A bundler would write the same;
// with nothing to bundle it is written by hand, and the files beside it are the ones that were written.

(() => {
  const here = document.currentScript.src;
  const load = (file) => import(new URL(file, here).href);

  let scope;

  const container = {
    init(shared) {
      scope = shared;
    },
    async get() {
      const { take } = await load('packages.js');
      await take(scope);
      // Loaded only now, since it uses the packages as soon as it is evaluated.
      const { plugin } = await load('extension.js');
      return () => ({ __esModule: true, default: plugin });
    },
  };

  window._JUPYTERLAB = { ...window._JUPYTERLAB, kmodlab: container };
})();
