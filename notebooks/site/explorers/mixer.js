// The branch mixer: what a trained network says with some branches of ASPP off (deeplab/course/aspp).
// All 32 predictions of an image were stored, one cell of a picture each.
"use strict";
(() => {
  const { element, choice, mount, status, folder } = window.explorerParts;
  const { branches, images, classes, right, wrong, steps } = window.explorerData.mixer;
  const ACROSS = 8, LINES = 9, MIXES = 2 ** branches.length, LABEL = 2 * MIXES;

  // One cell of the stored picture, enlarged, with a caption.
  function panel(caption) {
    const image = element("img", { alt: "" }), words = element("figcaption", {}, [caption]);
    const frame = element("div", { class: "mixer-frame" }, [image]);
    return {
      node: element("figure", { class: "mixer-panel" }, [frame, words]),
      show(source, cell, alt, text = caption) {
        if (image.getAttribute("src") !== source) image.src = source;
        const single = cell === null;
        image.style.width = single ? "100%" : `${100 * ACROSS}%`;
        image.style.transform = single ? "" : `translate(${-100 * (cell % ACROSS) / ACROSS}%, ` +
          `${-100 * Math.floor(cell / ACROSS) / LINES}%)`;
        image.alt = alt;
        words.textContent = text;
      },
    };
  }

  function sentence({ number, miou }, on) {
    const mix = on.reduce((sum, isOn, index) => sum + (isOn ? 2 ** index : 0), 0);
    const off = branches.filter((_, index) => !on[index]);
    const all = miou[MIXES - 1], change = miou[mix] - all;
    const none = mix ? "" : " The projection reads zeros, so that every cell gets the same scores.";
    if (!off.length) return `Image ${number}, all branches on: ${all.toFixed(1)} % mIoU.`;
    const sign = change < 0 ? "−" : "+";
    return `Image ${number} without ${off.join(", ")}: ${miou[mix].toFixed(1)} % mIoU, ` +
      `${sign}${Math.abs(change).toFixed(1)} points.${none}`;
  }

  function swatch(rgb, name) {
    return element("span", { class: "swatch-name" }, [
      element("span", { class: "swatch", style: `background: rgb(${rgb.join(",")})` }), name]);
  }

  mount("mixer", place => {
    const on = branches.map(() => true), said = status();
    let chosen = images[0];
    const panels = ["image", "label", "prediction", "errors"].map(panel);
    const buttons = branches.map((name, index) => {
      const button = element("button", { type: "button", "aria-pressed": true }, [name]);
      button.addEventListener("click", () => { on[index] = !on[index]; draw(); });
      return button;
    });

    function draw() {
      const sprite = `${folder}mixer-${chosen.number}.png`, mix = on.reduce(
        (sum, isOn, index) => sum + (isOn ? 2 ** index : 0), 0);
      said.textContent = sentence(chosen, on);
      panels[0].show(`${folder}mixer-${chosen.number}-image.png`, null, `image ${chosen.number}`);
      panels[1].show(sprite, LABEL, "its label in class colours");
      panels[2].show(sprite, mix, "the prediction of this mix in class colours",
        `prediction, ${chosen.miou[mix].toFixed(1)} %`);
      panels[3].show(sprite, MIXES + mix, "where prediction and label differ");
      buttons.forEach((button, index) => button.setAttribute("aria-pressed", on[index]));
    }
    place.addEventListener("keydown", event => {
      const index = Number(event.key) - 1;
      if (!(index in on)) return;
      on[index] = !on[index];
      draw();
    });
    const chooser = choice("image", images.map(value => ({ value, text: String(value.number) })), chosen,
      value => { chosen = value; draw(); });
    place.append(
      element("div", { class: "explorer-controls" }, [
        element("div", { class: "explorer-buttons", role: "group", "aria-label": "branches" }, buttons), chooser]),
      said, element("div", { class: "mixer-panels" }, panels.map(one => one.node)),
      element("p", { class: "explorer-legend" }, [...classes.map(one => swatch(one.color, one.name)),
        swatch(right, "right"), swatch(wrong, "wrong")]),
      element("p", { class: "explorer-keys" }, [
        `Keys 1 to ${branches.length} switch a branch. The network is the package's own miniature after ` +
        `${steps} steps; all ${MIXES} mixes were computed beforehand.`]));
    draw();
  });
  (window.explorers ??= {}).mixer = { sentence };
})();
