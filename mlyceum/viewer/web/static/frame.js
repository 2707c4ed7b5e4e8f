// What every page has: the bar with the way back, the state of the record, and a place for what went wrong.

import { h, link, replace, studyUrl } from "./dom.js";
import { theme, toggleHelp } from "./keys.js";

export function frame(crumbs) {
  const state = h("span", { id: "state", role: "status" });
  const bar = h("header", { class: "bar" },
    h("a", { class: "logo", href: "/" }, h("img", { src: "/static/icon.svg", alt: "", width: 22, height: 22 }), h("span", {}, "MLyceum")),
    h("nav", { "aria-label": "way back" }, crumbs.map(([name, href]) => [h("span", { class: "slash" }, "/"), href ? link(href, h("bdi", {}, name)) : h("b", {}, h("bdi", {}, name))])),
    h("span", { class: "grow" }), state,
    h("button", { id: "theme", type: "button", class: "plain", title: "light, dark or as the system has it (t)", onclick: () => theme() }, "◐"),
    h("button", { type: "button", class: "plain", title: "keyboard (?)", onclick: () => toggleHelp() }, "?"));
  const main = h("main", { id: "main", tabindex: "-1" });
  replace(document.body, bar, main);
  let kept = "";
  try {
    kept = localStorage.getItem("mlyceum-theme") ?? "";
  } catch { /* as above */ }
  theme(kept);
  document.title = `${crumbs.length ? crumbs.map(([name]) => name).reverse().join(" · ") : "studies"} · MLyceum`;
  return main;
}

export function showState(state, message = "") {
  const place = document.querySelector("#state");
  if (!place) return;
  place.className = state;
  place.title = message;
  replace(place, { live: "live", lost: "connection lost", ended: "", loading: "…" }[state] ?? state);
}

export const tabs = (study, now) => h("nav", { class: "tabs", "aria-label": "study" }, [["overview", studyUrl(study)], ["episodes", `${studyUrl(study)}/episodes`], ["compare", `${studyUrl(study)}/compare`]].map(([name, href]) => h("a", { href, "aria-current": name === now ? "page" : null }, name)));

export const tag = (outcome) => h("span", { class: `tag ${outcome}` }, outcome);

export function progress(outcomes, total) {
  const order = ["submitted", "budget", "deadlock", "error", "failed", "running", "interrupted", "waiting"];
  const parts = order.filter((name) => outcomes[name]).map((name) => {
    const piece = h("i", { class: name, title: `${name} ${outcomes[name]}` });
    piece.style.flexGrow = outcomes[name] / Math.max(1, total);
    return piece;
  });
  return h("span", { class: "progress", role: "img", "aria-label": order.filter((name) => outcomes[name]).map((name) => `${outcomes[name]} ${name}`).join(", ") }, parts);
}

export const pager = (offset, shown, total, step, url) => h("p", { class: "pager" },
  offset > 0 ? h("a", { href: url(Math.max(0, offset - step)), rel: "prev" }, "← previous") : null,
  h("span", {}, total ? `${(offset + 1).toLocaleString("en")} to ${(offset + shown).toLocaleString("en")} of ${total.toLocaleString("en")}` : "none"),
  offset + shown < total ? h("a", { href: url(offset + step), rel: "next" }, "next →") : null);
