// Who said, did and decided what, in the journal's order: a lane for each member.

import { get } from "./api.js";
import { h, query, replace, s, said, title } from "./dom.js";
import { remark } from "./keys.js";
import { dollars, number, seconds, whole } from "./words.js";

const KINDS = { message: "messages", model: "model calls", command: "commands", score: "scores", decision: "decisions", clock: "clock" };
const HEIGHT = 26;
const NARROW = 26;
const WIDE = 74;

export class Timeline {
  constructor(url) {
    this.url = url;
    this.lanes = [];
    this.choice = { kind: [], member: "", q: "", node: "" };
    this.entries = [];
    this.first = 0;
    this.total = 0;
    this.isAtEnd = true;
    this.body = h("div", { class: "lines" });
    this.heads = h("div", { class: "lane-heads" });
    this.pager = h("p", { class: "pager" });
    this.filters = h("div", { class: "filters" });
    this.element = h("div", { class: "timeline" }, this.filters, this.heads, this.body, this.pager);
    this.width = matchMedia("(max-width: 700px)").matches ? NARROW : WIDE;
  }

  controls() {
    const again = () => this.load({ last: true });
    const kinds = Object.entries(KINDS).map(([kind, name]) => h("button", {
      type: "button", class: "chip", "aria-pressed": String(this.choice.kind.includes(kind)), data: { kind }, onclick: (event) => {
        const chosen = this.choice.kind;
        this.choice.kind = chosen.includes(kind) ? chosen.filter((each) => each !== kind) : [...chosen, kind];
        event.currentTarget.setAttribute("aria-pressed", String(this.choice.kind.includes(kind)));
        again();
      },
    }, name));
    const member = h("select", { "aria-label": "member", onchange: (event) => { this.choice.member = event.target.value; again(); } },
      h("option", { value: "" }, "every member"), this.lanes.map((lane) => h("option", { value: lane, selected: lane === this.choice.member }, lane)));
    let timer;
    const text = h("input", { type: "search", placeholder: "text", "aria-label": "text in the timeline", "data-search": true, value: this.choice.q, oninput: (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => { this.choice.q = event.target.value; again(); }, 250);
    } });
    replace(this.filters, kinds, member, text);
  }

  setLanes(lanes) {
    if (lanes.join("\n") === this.lanes.join("\n")) return;
    this.lanes = lanes;
    this.controls();
    const cut = (name) => (this.width === NARROW ? name.slice(0, 3) : name.length > 12 ? `${name.slice(0, 11)}…` : name);
    replace(this.heads, h("span", { class: "seq" }), s("svg", { width: lanes.length * this.width, height: 20, "aria-hidden": "true" }, lanes.map((lane, at) => s("text", { class: "tick", x: at * this.width + this.width / 2, y: 14, "text-anchor": "middle" }, cut(lane), title(lane)))));
    this.draw();
  }

  async load({ last = false, first = null, around = "" } = {}) {
    const asked = { ...this.choice, first: last || around ? null : first, around };
    const page = await get(`${this.url}/timeline${query(asked)}`);
    this.entries = page.entries;
    this.first = page.first;
    this.total = page.total;
    this.isAtEnd = page.first + page.entries.length >= page.total;
    this.draw();
  }

  /** Takes what came since, where the end is what one looks at. */
  async news() {
    if (!this.isAtEnd) {
      const page = await get(`${this.url}/timeline${query({ ...this.choice, first: this.first })}`);
      this.total = page.total;
      this.drawPager();
      return;
    }
    await this.load({ last: true });
  }

  drawPager() {
    const until = this.first + this.entries.length;
    const step = 150;
    replace(this.pager,
      this.first > 0 ? h("button", { type: "button", onclick: () => this.load({ first: Math.max(0, this.first - step) }) }, "← earlier") : null,
      h("span", {}, this.total ? `${whole(this.first + 1)} to ${whole(until)} of ${whole(this.total)}` : "nothing here (yet)"),
      until < this.total ? h("button", { type: "button", onclick: () => this.load({ first: until }) }, "later →") : null,
      until < this.total ? h("button", { type: "button", onclick: () => this.load({ last: true }) }, "end") : null);
  }

  draw() {
    replace(this.body, this.entries.map((entry) => this.row(entry)));
    this.drawPager();
    remark();
  }

  row(entry) {
    const width = this.lanes.length * this.width;
    const x = (lane) => this.lanes.indexOf(lane) * this.width + this.width / 2;
    const mid = HEIGHT / 2;
    const svg = s("svg", { class: "lane", width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
    for (const lane of this.lanes) svg.append(s("line", { class: "life", x1: x(lane), x2: x(lane), y1: 0, y2: HEIGHT }));
    const known = this.lanes.includes(entry.member);
    if (entry.kind === "message") {
      const start = known ? x(entry.member) : 0;
      for (const to of entry.to ?? []) {
        const end = x(to);
        const way = end > start ? 1 : -1;
        if (end === start) svg.append(s("path", { class: "arrow", d: `M${start} ${mid - 6}q12 6 0 12` }));
        else svg.append(s("path", { class: "arrow", d: `M${start} ${mid}H${end - way * 2}` }), s("path", { class: "head", d: `M${end - way} ${mid}l${-way * 7}-3.500v7z` }));
      }
      if (entry.asked) svg.append(s("path", { class: "arrow open", d: `M${start} ${mid}h${this.width * 0.4}` }));
      svg.append(s("circle", { class: "from", cx: start, cy: mid, r: 3 }));
    } else if (known) {
      svg.append(entry.kind === "decision" ? s("path", { class: "act decision", d: `M${x(entry.member)} ${mid - 6}l6 6-6 6-6-6z` }) : s("rect", { class: `act ${entry.kind} ${entry.is_open ? "open" : ""}`, x: x(entry.member) - 5, y: mid - 5, width: 10, height: 10, rx: 2 }));
    }
    const meters = [
      entry.seconds ? seconds(entry.seconds) : entry.is_open ? "under way" : null,
      entry.input_tokens === undefined || entry.input_tokens === null ? null : `${whole(entry.input_tokens)} → ${whole(entry.output_tokens)} tokens`,
      entry.cost_usd === undefined || entry.cost_usd === null ? null : dollars(entry.cost_usd),
    ].filter(Boolean);
    const worths = entry.candidates?.length ? h("span", { class: "candidates" }, entry.candidates.slice(0, 6).map((each) => h("span", {}, said(each.name), " ", h("b", {}, number(each.worth, 3)))), entry.candidates.length > 6 || entry.candidates_left_out ? "…" : null) : null;
    return h("a", { class: `line ${entry.tone ?? ""} ${entry.kind}`, href: `#${encodeURIComponent(entry.key)}`, data: { row: entry.key } },
      h("span", { class: "seq", title: `line ${entry.order}, ${(entry.at ?? 0).toFixed(2)} s` }, entry.kind === "message" ? entry.key.slice(2) : ""),
      svg,
      h("span", { class: "what" }, h("span", { class: "who" }, entry.member, entry.asked ? ` → ${entry.asked}` : "", " "), said(entry.text), worths, meters.length ? h("small", {}, ` ${meters.join(" · ")}`) : null));
  }
}
