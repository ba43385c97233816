// Code and tables that are wider than the page scroll, and are then reached with the keyboard too;
// a figure leads to itself at full size.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver(entries => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  for (const box of document.querySelectorAll("pre, .table-wrapper, .wide, .strip"))
    observer.observe(box);
  for (const image of document.querySelectorAll("article img")) {
    if (image.closest("a, .explorer, .strip")) continue;  // of a strip: full size already
    const link = document.createElement("a");
    link.href = image.src;
    link.className = "full-size";
    image.replaceWith(link);
    link.append(image);
  }
});
