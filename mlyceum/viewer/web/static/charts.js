// Small charts, drawn as SVG at the width that there is, and again when that changes.

import { h, s, title } from "./dom.js";
import { number } from "./words.js";

function ticks(low, high, most) {
  const span = high - low || 1;
  const rough = span / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}

const short = (value) => (Math.abs(value) >= 1e6 ? `${value / 1e6}M` : Math.abs(value) >= 1e4 ? `${value / 1e3}k` : String(+value.toPrecision(4)).replace("-", "−"));

export function responsive(draw, cls = "") {
  const box = h("div", { class: `chart ${cls}` });
  let width = 0;
  const again = () => {
    const now = Math.floor(box.clientWidth);
    if (now > 0 && now !== width) {
      width = now;
      box.replaceChildren(draw(width));
    }
  };
  new ResizeObserver(again).observe(box);
  return box;
}

/**
 * Lines, steps and points over one axis.
 * series: [{name, cls, step, line, points: [{x, y, error, label, href}]}]; levels: [{y, name}].
 */
export function chart({ series, levels = [], xLabel, yLabel, height = 240, label }) {
  return responsive((width) => {
    const left = 52, right = 12, top = 12, bottom = 34;
    const all = series.flatMap((each) => each.points.filter((point) => point.y !== null && point.y !== undefined));
    const xs = all.map((point) => point.x);
    let xLow = Math.min(0, ...xs), xHigh = Math.max(1, ...xs);
    const sorted = all.map((point) => point.y).concat(levels.map((each) => each.y)).sort((a, b) => a - b);
    let yLow = sorted[0] ?? 0, yHigh = sorted.at(-1) ?? 1;
    const pad = (yHigh - yLow || Math.abs(yHigh) || 1) * 0.06;
    yLow -= pad; yHigh += pad;
    const px = (x) => left + ((x - xLow) / (xHigh - xLow)) * (width - left - right);
    const py = (y) => top + ((yHigh - y) / (yHigh - yLow)) * (height - top - bottom);
    const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label ?? yLabel });
    for (const y of ticks(yLow, yHigh, 5)) svg.append(s("line", { class: "grid", x1: left, x2: width - right, y1: py(y), y2: py(y) }), s("text", { class: "tick", x: left - 6, y: py(y) + 4, "text-anchor": "end" }, short(y)));
    for (const x of ticks(xLow, xHigh, Math.max(2, Math.floor(width / 90)))) svg.append(s("text", { class: "tick", x: px(x), y: height - bottom + 15, "text-anchor": "middle" }, short(x)));
    svg.append(s("text", { class: "tick", x: width - right, y: height - 4, "text-anchor": "end" }, xLabel));
    for (const level of levels) svg.append(s("line", { class: `level ${level.cls ?? ""}`, x1: left, x2: width - right, y1: py(level.y), y2: py(level.y) }, title(`${level.name} ${number(level.y)}`)), level.cls === "final" ? s("text", { class: "level-name", x: left + 3, y: py(level.y) - 3 }, level.name) : s("text", { class: "level-name", x: width - right - 2, y: py(level.y) - 3, "text-anchor": "end" }, level.name));
    for (const each of series) {
      const points = each.points.filter((point) => point.y !== null && point.y !== undefined);
      if (each.line !== false && points.length) {
        const path = points.map((point, at) => (at === 0 ? `M${px(point.x)} ${py(point.y)}` : each.step ? `H${px(point.x)}V${py(point.y)}` : `L${px(point.x)} ${py(point.y)}`)).join("");
        svg.append(s("path", { class: `line ${each.cls}`, d: path }, title(each.name)));
      }
      if (each.dots) for (const point of points) {
        const mark = s("g", { class: `dot ${each.cls} ${point.cls ?? ""}` }, title(point.label ?? number(point.y)));
        if (point.error > 0) mark.append(s("line", { x1: px(point.x), x2: px(point.x), y1: Math.max(top, py(point.y + point.error)), y2: Math.min(height - bottom, py(point.y - point.error)) }));
        mark.append(s("circle", { cx: px(point.x), cy: py(point.y), r: point.r ?? 3 }));
        svg.append(point.href ? s("a", { href: point.href }, mark) : mark);
      }
    }
    return svg;
  });
}

/** Points of one cell on a line: the scale is the task's, so that cells of a column compare by eye. */
export function strip(points, { low, high, marks = [], mean = null, width = 132 }) {
  const height = 20;
  const px = (value) => 4 + ((value - low) / (high - low || 1)) * (width - 8);
  const svg = s("svg", { class: "strip", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${points.length} final scores` });
  svg.append(s("line", { class: "axis", x1: 2, x2: width - 2, y1: 10, y2: 10 }));
  for (const mark of marks) svg.append(s("line", { class: `mark ${mark.cls}`, x1: px(mark.value), x2: px(mark.value), y1: 3, y2: 17 }, title(`${mark.name} ${number(mark.value)}`)));
  for (const value of points) svg.append(s("circle", { class: "point", cx: px(value), cy: 10, r: 2.6 }));
  if (mean !== null) svg.append(s("path", { class: "mean", d: `M${px(mean)} 3v14` }, title(`mean ${number(mean)}`)));
  return svg;
}

/** What worked for whom and when: a lane a member. */
export function lanes(busy, members, end) {
  return responsive((width) => {
    const left = Math.min(120, width * 0.28), row = 22, bottom = 22;
    const height = members.length * row + bottom + 4;
    const px = (x) => left + (x / (end || 1)) * (width - left - 10);
    const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "effects over time" });
    members.forEach((member, at) => svg.append(s("text", { class: "tick", x: left - 8, y: at * row + 15, "text-anchor": "end" }, member.length > 16 ? `${member.slice(0, 15)}…` : member), s("line", { class: "grid", x1: left, x2: width - 10, y1: at * row + 11, y2: at * row + 11 })));
    for (const each of busy) {
      const at = members.indexOf(each.member);
      if (at < 0) continue;
      const say = title(`${each.member}: ${each.kind}, ${each.seconds.toFixed(3)} s from ${each.begin.toFixed(2)} s${each.waited > 0.001 ? `, waited ${each.waited.toFixed(3)} s` : ""}`);
      if (each.waited > 0) svg.append(s("rect", { class: "bar waited", x: px(each.begin - each.waited), y: at * row + 9, width: Math.max(0.5, px(each.begin) - px(each.begin - each.waited)), height: 4 }));
      svg.append(s("a", { href: `#${encodeURIComponent(each.key)}` }, s("rect", { class: `bar ${each.kind}`, x: px(each.begin), y: at * row + 4, width: Math.max(1.5, px(each.begin + each.seconds) - px(each.begin)), height: 14 }, say)));
    }
    for (const x of ticks(0, end, Math.max(2, Math.floor(width / 110)))) svg.append(s("text", { class: "tick", x: px(x), y: height - 6, "text-anchor": "middle" }, `${short(x)} s`));
    return svg;
  });
}
