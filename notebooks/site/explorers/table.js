// The table explorer: published mIoU of the 16 rows against their cost (deeplab/course/whole_table).
"use strict";
(() => {
  const { element, drawn, choice, mount, status } = window.explorerParts;
  const { rows, axes, pairs } = window.explorerData.table;
  const KINDS = {                              // which rows make a pair, and which is the better one
    "output stride": { same: ["dataset", "backbone"], differs: "stride", better: 8 },
    depth: { same: ["dataset", "stride"], differs: "backbone", better: "resnet101" },
  };
  const LOG = { GMACs: true, hours: true, parameters: false };
  const TICKS = { GMACs: [100, 400], parameters: [70, 80, 90], hours: [1, 4, 16] };
  const SIDE = 200, EDGE = { left: 34, right: 14, top: 26, bottom: 24 };
  const every = key => [...new Set(rows.map(row => row[key]))];
  const mean = numbers => numbers.reduce((sum, value) => sum + value, 0) / numbers.length;

  function shown(view) {
    return rows.filter(row => view.datasets.includes(row.dataset) &&
      view.backbones.includes(row.backbone) && view.strides.includes(row.stride));
  }

  function sentence(view) {
    const chosen = shown(view), said = [`${chosen.length} of ${rows.length} rows.`];
    for (const [kind, words] of Object.entries(pairs)) {
      const { same, differs, better } = KINDS[kind];
      const both = chosen.filter(row => row[differs] === better).flatMap(high => chosen.filter(low =>
        low[differs] !== better && same.every(key => low[key] === high[key])).map(low => [low, high]));
      if (!both.length || !view.axes.length) continue;
      const gain = mean(both.map(([low, high]) => high.miou - low.miou));
      const prices = view.axes.map(axis =>
        `${mean(both.map(([low, high]) => high[axis] / low[axis])).toFixed(2)} times the ${axis}`);
      said.push(`${words}: ${gain < 0 ? "-" : "+"}${Math.abs(gain).toFixed(2)} points for ` +
        `${prices.join(", ")} (mean of ${both.length} pair${both.length > 1 ? "s" : ""}).`);
    }
    return said.join(" ");
  }

  // A function from numbers between `from` and `to` to places between `start` and `end`.
  function scale(from, to, start, end, isLog) {
    const turn = isLog ? Math.log : Number, low = turn(from), high = turn(to);
    return value => start + (turn(value) - low) / (high - low) * (end - start);
  }

  function panel(dataset, chosen, axis, half, values) {
    const scores = chosen.map(row => row.miou), middle = (Math.max(...scores) + Math.min(...scores)) / 2;
    const stretch = LOG[axis] ? 1.5 : 1.05;
    const x = scale(Math.min(...values) / stretch, Math.max(...values) * stretch, EDGE.left,
      SIDE - EDGE.right, LOG[axis]);
    const y = scale(middle - half, middle + half, SIDE - EDGE.bottom, EDGE.top, false);
    const parts = [drawn("text", { x: SIDE / 2, y: 15, class: "table-title" }, [dataset])];
    for (let level = Math.ceil(middle - half); level <= middle + half; level += half > 4 ? 2 : 1)
      parts.push(drawn("path", { class: "table-grid", d: `M${EDGE.left} ${y(level)}H${SIDE - EDGE.right}` }),
        drawn("text", { x: EDGE.left - 5, y: y(level) + 4, class: "table-level" }, [String(level)]));
    for (const tick of TICKS[axis])
      parts.push(drawn("text", { x: x(tick), y: SIDE - 7, class: "table-tick" }, [String(tick)]));
    for (const backbone of every("backbone")) {
      const points = chosen.filter(row => row.backbone === backbone).sort((one, other) => other.stride - one.stride);
      const look = backbone === "resnet101" ? "table-deep" : "table-shallow";
      parts.push(drawn("path", { class: `table-line ${look}`,
        d: points.map((row, index) => `${index ? "L" : "M"}${x(row[axis])} ${y(row.miou)}`).join("") || "M0 0" }));
      for (const row of points) {
        const across = x(row[axis]), up = y(row.miou), mark = look === "table-deep"
          ? ["rect", { x: across - 5, y: up - 5, width: 10, height: 10 }]
          : ["circle", { cx: across, cy: up, r: 5.5 }];
        const words = `${row.id}: ${row.miou} % mIoU, ${Number(row[axis].toPrecision(3))} ${axis}`;
        parts.push(drawn(mark[0], { ...mark[1], class: `table-point ${look} stride-${row.stride}` },
          [drawn("title", {}, [words])]),
        drawn("text", { x: across, y: up + (look === "table-deep" ? -9 : 18), class: "table-score" },
          [row.miou.toFixed(2)]));
      }
    }
    return drawn("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, role: "img",
      "aria-label": `${dataset}: mIoU over ${axes[axis]}` }, parts);
  }

  function numbers(chosen) {
    const line = (name, cells) => element("tr", {}, cells.map(cell =>
      element(name, name === "th" ? { scope: "col" } : {}, [cell])));
    const body = chosen.map(row => line("td", [row.id, row.miou.toFixed(2), row.GMACs.toFixed(0),
      row.parameters.toFixed(1), row.hours.toFixed(1)]));
    return element("table", {}, [element("thead", {}, [line("th",
      ["row", "mIoU (%)", "GMACs", "parameters (M)", "hours"])]), element("tbody", {}, body)]);
  }

  mount("table", place => {
    const view = { axes: ["GMACs"], datasets: every("dataset"), backbones: every("backbone"), strides: [16, 8] };
    const said = status(), panels = element("div", { class: "table-panels" });
    const listed = element("div", { class: "explorer-scroll", tabindex: 0, role: "region",
      "aria-label": "the numbers of the chosen rows" });
    const under = element("p", { class: "explorer-keys" });

    function draw() {
      const chosen = shown(view), [axis] = view.axes, groups = view.datasets.map(dataset =>
        [dataset, chosen.filter(row => row.dataset === dataset)]).filter(([, group]) => group.length);
      const spans = groups.map(([, group]) => group.map(row => row.miou));
      const half = 0.7 * Math.max(0, ...spans.map(span => Math.max(...span) - Math.min(...span))) + 0.7;
      panels.replaceChildren(...groups.map(([dataset, group]) =>
        panel(dataset, group, axis, half, chosen.map(row => row[axis]))));
      said.textContent = chosen.length ? sentence(view) : "No row of the table is chosen.";
      under.textContent = `Up: published mIoU in per cent. Right: ${axes[axis]}. Blue: 50 layers, ` +
        "orange: 101; filled: output stride 8, hollow: 16.";
      listed.replaceChildren(numbers(chosen));
    }
    const chooser = (legend, key, values, texts = values) => choice(legend,
      values.map((value, index) => ({ value, text: String(texts[index]) })), view[key],
      chosen => { view[key] = values.filter(value => chosen.includes(value)); draw(); }, true);
    place.append(element("div", { class: "explorer-controls" }, [
      choice("cost", Object.keys(axes).map(value => ({ value, text: value })), view.axes[0],
        axis => { view.axes = [axis]; draw(); }),
      chooser("label set", "datasets", every("dataset")),
      chooser("layers", "backbones", ["resnet50", "resnet101"], [50, 101]),
      chooser("output stride", "strides", [8, 16])]),
    said, panels, under,
    element("details", {}, [element("summary", {}, ["The numbers"]), listed]));
    draw();
  });
  (window.explorers ??= {}).table = { sentence };
})();
