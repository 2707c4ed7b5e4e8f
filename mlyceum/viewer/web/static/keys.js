// The keyboard: rows to walk through, places to go to, and an overlay that tells of all of it.

import { h, replace } from "./dom.js";

const HELP = [
  ["j  k", "next, previous row"],
  ["Enter", "open the row"],
  ["x", "mark an episode for comparison"],
  ["/", "search"],
  ["n  p", "next, previous page of a list"],
  ["[  ]", "previous, next episode"],
  ["1 … 6", "section of an episode: scores, tree, timeline, calls, devices, facts"],
  ["g s", "go to the studies"],
  ["g o", "go to the study's overview"],
  ["g e", "go to its episodes"],
  ["g c", "compare its arms"],
  ["t", "light, dark or as the system has it"],
  ["Esc", "close what is open; leave a field"],
  ["?", "this help"],
];

const state = { row: null, go: false };

const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null || row.getClientRects().length);

function walk(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.dataset.row === state.row);
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + step));
  mark(all[next]);
  all[next].scrollIntoView({ block: "nearest" });
}

export function mark(row) {
  document.querySelectorAll(".here").forEach((each) => each.classList.remove("here"));
  state.row = row?.dataset.row ?? null;
  row?.classList.add("here");
}

/** Marks again what was marked, after the rows were drawn anew. */
export function remark() {
  const row = rows().find((each) => each.dataset.row === state.row);
  if (row) row.classList.add("here");
}

export const current = () => rows().find((row) => row.dataset.row === state.row) ?? null;

export function toggleHelp(show) {
  const open = document.querySelector("#help");
  if (open) open.remove();
  if (show === false || (open && show === undefined)) return;
  const close = h("button", { type: "button", class: "plain", "aria-label": "close", onclick: () => toggleHelp(false) }, "✕");
  const list = h("dl", {}, HELP.map(([key, what]) => [h("dt", {}, key.split("  ").map((each) => h("kbd", {}, each))), h("dd", {}, what)]));
  const box = h("section", { class: "overlay-box", role: "dialog", "aria-label": "keyboard" }, h("header", {}, h("h2", {}, "Keyboard"), close), list);
  document.body.append(h("div", { id: "help", class: "overlay", onclick: (event) => event.target.id === "help" && toggleHelp(false) }, box));
  close.focus();
}

export function theme(next) {
  const order = ["", "light", "dark"];
  const now = document.documentElement.dataset.theme ?? "";
  const chosen = next ?? order[(order.indexOf(now) + 1) % order.length];
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  try {
    if (next === undefined) localStorage.setItem("mlyceum-theme", chosen);
  } catch { /* a browser that keeps nothing still shows it */ }
  const button = document.querySelector("#theme");
  if (button) replace(button, { "": "◐", light: "☀", dark: "☾" }[chosen]);
}

export function listen(places) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "Escape") {
      if (document.querySelector("#help")) toggleHelp(false);
      else if (typing) event.target.blur();
      else places.escape?.();
      return;
    }
    if (typing) return;
    const act = state.go ? places[`g${event.key}`] : undefined;
    const was = state.go;
    state.go = event.key === "g" && !was;
    if (was) {
      if (act) { event.preventDefault(); act(); }
      return;
    }
    const click = (selector) => () => document.querySelector(selector)?.click();
    const moves = {
      j: () => walk(1), k: () => walk(-1), "?": () => toggleHelp(), t: () => theme(),
      "/": () => document.querySelector("[data-search]")?.focus(),
      n: click("[rel=next]"), p: click("[rel=prev]"), "]": click("[data-after]"), "[": click("[data-before]"),
      x: () => current()?.querySelector("input[type=checkbox]")?.click(),
      Enter: () => { if (event.target === document.body || event.target.matches("main, [data-row]")) (current()?.querySelector("a[href]") ?? current())?.click(); },
    };
    const section = /^[1-6]$/.test(event.key) ? document.querySelector(`[data-section="${event.key}"]`) : null;
    const move = section ? () => section.scrollIntoView({ block: "start" }) : moves[event.key];
    if (move) {
      if (event.key !== "Enter") event.preventDefault();
      move();
    }
  });
}
