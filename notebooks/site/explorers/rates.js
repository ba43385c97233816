// The rate explorer: nine taps of a 3x3 atrous kernel on a picture (deeplab/course/atrous).
"use strict";
(() => {
  const { element, drawn, slider, choice, mount, status, folder } = window.explorerParts;
  const { height, width, maxRate } = window.explorerData.rates;
  const MARGIN = 300;                         // pixels beside the picture, at every rate: one scale

  // (row, column) in cells of the nine taps.
  function cells({ rate, row, column, stride }) {
    const top = Math.floor(row / stride), left = Math.floor(column / stride);
    return [-rate, 0, rate].flatMap(down => [-rate, 0, rate].map(across => [top + down, left + across]));
  }

  function isInside([row, column], { stride }) {
    return row >= 0 && column >= 0 && row < Math.ceil(height / stride) && column < Math.ceil(width / stride);
  }

  function sentence(kernel) {
    const inside = cells(kernel).filter(cell => isInside(cell, kernel)).length;
    const side = 2 * kernel.rate + 1;
    return `Output stride ${kernel.stride}, rate ${kernel.rate}: ${inside} of 9 taps inside; ` +
      `field of view ${side} cells = ${side * kernel.stride} pixels.`;
  }

  function drawKernel(layer, kernel) {
    const { rate, stride } = kernel, taps = cells(kernel), [top, left] = taps[0];
    const side = (2 * rate + 1) * stride;
    layer.replaceChildren(
      drawn("rect", { class: "rates-view", x: left * stride, y: top * stride, width: side, height: side }),
      ...taps.map(cell => drawn("rect", {
        class: isInside(cell, kernel) ? "rates-tap" : "rates-tap rates-outside",
        x: cell[1] * stride, y: cell[0] * stride, width: stride, height: stride,
      })));
  }

  function gridLines(stride) {
    let path = "";
    for (let x = stride; x < width; x += stride) path += `M${x} 0V${height}`;
    for (let y = stride; y < height; y += stride) path += `M0 ${y}H${width}`;
    return path;
  }

  mount("rates", place => {
    const kernel = { rate: 6, row: height / 2, column: width / 2, stride: 16 };
    const grid = drawn("path", { class: "rates-grid" }), layer = drawn("g", {}), said = status();
    const picture = drawn("svg", { class: "rates-picture", tabindex: 0, role: "img" }, [
      drawn("image", { href: `${folder}rates.png`, width, height }), grid, layer]);
    picture.setAttribute("viewBox", `${-MARGIN} ${-MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}`);
    const rate = slider("rate", { min: 1, max: maxRate, value: kernel.rate }, value => change({ rate: value }));
    const row = slider("row", { min: 0, max: height - 1, value: kernel.row }, value => change({ row: value }));
    const column = slider("column", { min: 0, max: width - 1, value: kernel.column },
      value => change({ column: value }));

    function change(part) {
      Object.assign(kernel, part);
      kernel.rate = Math.min(maxRate, Math.max(1, kernel.rate));
      kernel.row = Math.min(height - 1, Math.max(0, kernel.row));
      kernel.column = Math.min(width - 1, Math.max(0, kernel.column));
      grid.setAttribute("d", gridLines(kernel.stride));
      drawKernel(layer, kernel);
      for (const [control, value] of [[rate, kernel.rate], [row, kernel.row], [column, kernel.column]])
        control.set(value);
      const hidden = cells(kernel).map(cell => cell.map(index => index * kernel.stride))
        .filter(([y, x]) => Math.min(x, y) < -MARGIN || x + kernel.stride > width + MARGIN ||
          y + kernel.stride > height + MARGIN).length;
      said.textContent = sentence(kernel) + (hidden ? ` ${hidden} lie beyond this frame.` : "");
      picture.setAttribute("aria-label", `A picture under the taps of a kernel. ${said.textContent}`);
    }

    function follow(event) {                  // the kernel's centre goes where the pointer is
      const point = new DOMPoint(event.clientX, event.clientY)
        .matrixTransform(picture.getScreenCTM().inverse());
      change({ row: Math.floor(point.y), column: Math.floor(point.x) });
    }
    picture.addEventListener("click", follow);  // a finger that moves scrolls the page
    picture.addEventListener("pointerdown", event => {
      if (event.pointerType === "touch") return;
      picture.setPointerCapture(event.pointerId);
      follow(event);
    });
    picture.addEventListener("pointermove", event => {
      if (event.buttons && event.pointerType !== "touch") follow(event);
    });
    picture.addEventListener("keydown", event => {
      const step = kernel.stride, part = {
        ArrowUp: { row: kernel.row - step }, ArrowDown: { row: kernel.row + step },
        ArrowLeft: { column: kernel.column - step }, ArrowRight: { column: kernel.column + step },
        "+": { rate: kernel.rate + 1 }, "-": { rate: kernel.rate - 1 },
      }[event.key];
      if (!part) return;
      event.preventDefault();
      change(part);
    });
    const stride = choice("output stride", [8, 16].map(value => ({ value, text: String(value) })), 16,
      value => change({ stride: value }));
    place.append(element("div", { class: "explorer-controls" }, [rate.node, row.node, column.node, stride]),
      said, picture, element("p", { class: "explorer-keys" }, [
        "Click or drag, or focus the picture and use the arrow keys; + and − change the rate."]));
    change({});
  });
  (window.explorers ??= {}).rates = { sentence };
})();
