// What the explorers share: elements, controls with labels, and the place where each stands.
"use strict";
window.explorerParts ??= (() => {
  const folder = document.currentScript.src.replace(/[^/]*$/, "");

  // An element (or, with svg = true, one of a drawing) with attributes and children.
  function element(name, attributes = {}, children = [], svg = false) {
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", name)
      : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  const drawn = (name, attributes, children) => element(name, attributes, children, true);

  // A slider from `min` to `max`; `act` is called with each new value.
  function slider(label, { min, max, value }, act) {
    const input = element("input", { type: "range", min, max, value });
    const shown = element("output", {}, [String(value)]);
    input.addEventListener("input", () => act(Number(input.value)));
    return {
      node: element("label", { class: "explorer-slider" }, [element("span", {}, [label]), input, shown]),
      set(number) { input.value = number; shown.textContent = number; },
    };
  }

  // Radio buttons, or check boxes if `several`; `act` gets the chosen value, or all that are.
  function choice(legend, options, chosen, act, several = false) {
    const group = `explorer-${Math.random().toString(36).slice(2)}`;
    const inputs = options.map(({ value }) => {
      const input = element("input", { type: several ? "checkbox" : "radio", name: group });
      input.checked = several ? chosen.includes(value) : chosen === value;
      input.addEventListener("change", () => act(several
        ? options.filter((_, index) => inputs[index].checked).map(option => option.value) : value));
      return input;
    });
    const labels = options.map(({ text }, index) => element("label", {}, [inputs[index], text]));
    return element("fieldset", {}, [element("legend", {}, [legend]), ...labels]);
  }

  // Calls `build` with every place of the page that is kept for an explorer of this kind.
  function mount(kind, build) {
    for (const place of document.querySelectorAll(`[data-explorer="${kind}"]`)) {
      if (!place.childElementCount) build(place);
    }
  }

  // Frames follow the scheme of the page, which its own button may set.
  const tell = () => {
    const theme = document.body.dataset.theme;
    for (const frame of document.querySelectorAll("iframe.explorer-frame"))
      frame.contentWindow?.postMessage({ scheme: theme === "auto" ? matchMedia(
        "(prefers-color-scheme: dark)").matches ? "dark" : "light" : theme }, "*");
  };
  new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-theme"] });
  for (const frame of document.querySelectorAll("iframe.explorer-frame"))
    frame.addEventListener("load", tell);
  tell();

  const status = () => element("p", { class: "explorer-status", role: "status" });

  return { element, drawn, slider, choice, mount, status, folder };
})();
