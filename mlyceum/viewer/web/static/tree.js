// The research tree, drawn beside its rows: a node's shape is its operator, its colour the verdict on it.

import { h, s, said, title } from "./dom.js";
import { number, withError } from "./words.js";

const ROW = 30;
const STEP = 16;
const EDGE = 14;

const shapes = {
  draft: (x, y) => s("circle", { cx: x, cy: y, r: 5.5 }),
  improve: (x, y) => s("path", { d: `M${x} ${y - 6.5}l6 11h-12z` }),
  debug: (x, y) => s("rect", { x: x - 5, y: y - 5, width: 10, height: 10, rx: 1.5 }),
  combine: (x, y) => s("path", { d: `M${x} ${y - 7}l7 7-7 7-7-7z` }),
  replicate: (x, y) => s("circle", { class: "ring", cx: x, cy: y, r: 4.5 }),
  starter: (x, y) => s("rect", { x: x - 6, y: y - 6, width: 12, height: 12, rx: 6 }),
};

export function legend() {
  const one = (operator) => h("span", { class: "key" }, s("svg", { width: 16, height: 16, viewBox: "0 0 16 16", class: "node measured" }, shapes[operator](8, 8)), operator);
  const colour = (status) => h("span", { class: "key" }, h("i", { class: `swatch ${status}` }), status);
  return h("p", { class: "legend" }, ["draft", "improve", "debug", "combine", "replicate"].map(one), ["accepted", "rejected", "revise", "failed", "measured", "running"].map(colour), h("span", { class: "key" }, "★ handed in"), h("span", { class: "key" }, "• stood for a time"));
}

export function drawTree(head, open) {
  const nodes = head.tree;
  const deepest = Math.min(12, Math.max(0, ...nodes.map((node) => node.depth)));
  const gutter = EDGE * 2 + deepest * STEP;
  const place = new Map(nodes.map((node, at) => [node.id, at]));
  const x = (node) => EDGE + Math.min(node.depth, 12) * STEP;
  const y = (at) => at * ROW + ROW / 2;
  const svg = s("svg", { class: "tree-lines", width: gutter, height: nodes.length * ROW, viewBox: `0 0 ${gutter} ${nodes.length * ROW}`, "aria-hidden": "true" });
  const edges = s("g", {});
  const marks = s("g", {});
  nodes.forEach((node, at) => {
    if (node.id !== 0) {
      const above = place.get(node.parent);
      if (above !== undefined) {
        const parent = nodes[above];
        const [x1, y1, x2, y2] = [x(parent), y(above), x(node), y(at)];
        const path = x2 > x1 ? `M${x1} ${y1}V${y2 - 8}Q${x1} ${y2} ${x1 + 8} ${y2}H${x2}` : `M${x1} ${y1}V${y2}`;
        edges.append(s("path", { class: `edge ${node.on_path ? "path" : ""}`, d: path }));
      }
      for (const other of node.others) {
        const from = place.get(other);
        if (from !== undefined) edges.append(s("path", { class: "edge other", d: `M${x(nodes[from])} ${y(from)}Q${gutter} ${(y(from) + y(at)) / 2} ${x(node)} ${y(at)}` }));
      }
    }
    const shape = (shapes[node.operator] ?? shapes.draft)(x(node), y(at));
    marks.append(s("g", { class: `node ${node.status} ${node.on_path ? "path" : ""}` }, shape, title(`${node.operator}, ${node.status}`)));
  });
  svg.append(edges, marks);

  const means = nodes.map((node) => node.mean).filter((mean) => mean !== null);
  const low = Math.min(...means), high = Math.max(...means);
  const rows = nodes.map((node) => {
    const share = node.mean === null || high <= low ? 0 : (node.mean - low) / (high - low);
    const bar = s("svg", { class: "bar-cell", width: 64, height: 8, viewBox: "0 0 64 8", "aria-hidden": "true" }, s("rect", { class: "back", width: 64, height: 8, rx: 2 }), node.mean === null ? null : s("rect", { class: `fill ${node.status}`, width: Math.max(2, 64 * share), height: 8, rx: 2 }), node.predicted === null || high <= low ? null : s("path", { class: "predicted", d: `M${Math.max(1, Math.min(63, (64 * (node.predicted - low)) / (high - low)))} 0v8` }, title(`predicted ${number(node.predicted)}`)));
    const mark = node.handed_in ? "★" : node.stood ? "•" : "";
    return h("a", { class: `tree-row ${node.on_path ? "on-path" : ""}`, href: `#node-${node.id}`, data: { row: `node-${node.id}` }, onclick: open },
      h("span", { class: "id" }, node.id === 0 ? "starter" : `#${node.id}`),
      h("span", { class: "op" }, node.id === 0 ? "" : node.operator),
      h("span", { class: "bar-box" }, bar),
      h("span", { class: "num" }, withError(node.mean, node.standard_error), node.evaluations > 1 ? h("small", {}, ` ×${node.evaluations}`) : null),
      h("span", { class: `verdict ${node.status}` }, `${mark} ${node.status}`),
      h("span", { class: "claim" }, node.failure ? said(node.failure, "bad") : said(node.claim)));
  });
  const list = h("div", { class: "tree-rows" }, rows);
  list.style.paddingLeft = `${gutter + 4}px`;
  const tree = h("div", { class: "tree" }, svg, list);
  return h("div", {}, tree, head.tree_left_out ? h("p", { class: "note" }, `${head.tree_left_out} further nodes are left out here; they are in the timeline`) : null);
}
