// SPDX-License-Identifier: MIT
// What the theme leaves unsaid to those who hear a page or have no mouse.
addEventListener("load", () => {
  for (const part of document.querySelectorAll("pre, .table-wrapper, .cell_output, [style*='overflow:auto']")) {
    const larger = part.scrollWidth > part.clientWidth || part.scrollHeight > part.clientHeight;
    // What is folded has no size yet.
    if ((larger || part.closest("details:not([open])")) && !part.hasAttribute("tabindex")) part.tabIndex = 0;
  }
  for (const caption of document.querySelectorAll(".caption[role=heading]")) caption.setAttribute("aria-level", "2");
  document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "All pages");
  document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");
  // A signature of several lines is no list of terms.
  for (const list of document.querySelectorAll(".sig > dl")) {
    const lines = document.createElement("div");
    lines.className = "sig-lines";
    for (const one of list.children) lines.appendChild(document.createElement("div")).append(...one.childNodes);
    list.replaceWith(lines);
  }
  // The same table twice has the same name; a number tells one from the other.
  const seen = new Map();
  for (const region of document.querySelectorAll("[role=region][aria-label], section[aria-label]")) {
    const name = region.getAttribute("aria-label");
    seen.set(name, (seen.get(name) ?? 0) + 1);
    if (seen.get(name) > 1) region.setAttribute("aria-label", `${name} (${seen.get(name)})`);
  }
});
