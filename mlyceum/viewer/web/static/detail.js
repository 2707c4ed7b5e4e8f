// The panel beside an episode: one node, message, effect or decision in full.

import { get } from "./api.js";
import { h, part, query, replace, said, studyUrl } from "./dom.js";
import { dollars, number, seconds, whole, withError } from "./words.js";

const block = (text, cls = "") => h("pre", { class: `said ${cls}`, tabindex: "0" }, text);

export function diffView(text) {
  const lines = text.split("\n");
  return h("pre", { class: "diff said", tabindex: "0" }, lines.map((line) => {
    const cls = /^(\+\+\+|---|diff )/.test(line) ? "file" : line.startsWith("@@") ? "hunk" : line.startsWith("+") ? "add" : line.startsWith("-") ? "take" : "";
    return h("span", { class: cls }, `${line}\n`);
  }));
}

const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

export class Detail {
  constructor(study, episode, head) {
    this.study = study;
    this.episode = episode;
    this.head = head;
    this.api = `/api/s/${part(study)}/e/${part(episode)}`;
    this.raw = `/raw/s/${part(study)}/e/${part(episode)}`;
    this.body = h("div", { class: "detail-body" });
    this.name = h("h2", {});
    this.link = h("a", { class: "plain", title: "the address of just this" }, "link");
    const close = h("button", { type: "button", class: "plain", "aria-label": "close", onclick: () => this.close() }, "✕");
    this.element = h("aside", { class: "detail", hidden: true, "aria-label": "detail" }, h("header", {}, this.name, this.link, close), this.body);
  }

  close() {
    this.element.hidden = true;
    this.key = null;
    document.body.classList.remove("with-detail");
    history.replaceState(null, "", location.pathname + location.search);
  }

  async show(key) {
    this.key = key;
    this.element.hidden = false;
    document.body.classList.add("with-detail");
    this.link.href = `#${encodeURIComponent(key)}`;
    replace(this.name, key);
    replace(this.body, h("p", { class: "note" }, "…"));
    try {
      const node = /^node-(\d+)$/.exec(key);
      const content = node ? this.node(await get(`${this.api}/node/${node[1]}`)) : this.entry(await get(`${this.api}/entry${query({ key })}`));
      if (this.key === key) replace(this.body, content);
    } catch (error) {
      replace(this.body, h("p", { class: "problem" }, error.message));
    }
    this.body.scrollTop = 0;
  }

  node(page) {
    const node = page.node;
    replace(this.name, node.id === 0 ? "Starter" : `Node #${node.id}`, h("span", { class: `tag ${node.status}` }, node.status), node.handed_in ? h("span", { class: "tag star" }, "★ handed in") : null);
    const to = (id) => h("a", { href: `#node-${id}` }, id === 0 ? "starter" : `#${id}`);
    const gap = node.predicted !== null && node.mean !== null ? node.mean - node.predicted : null;
    return [
      facts([
        ["operator", node.id === 0 ? null : h("span", {}, node.operator, " of ", to(node.parent), node.others.map((id) => [", ", to(id)]))],
        ["claim", page.claim ? said(page.claim) : null],
        ["author", page.author ? h("span", {}, page.author, page.family ? [", family ", said(page.family)] : null) : null],
        ["point", page.point && page.point !== "-" ? said(page.point, "mono") : null],
        ["predicted", node.predicted === null ? null : number(node.predicted)],
        ["found", h("span", {}, withError(node.mean, node.standard_error), gap === null ? null : ` (${gap >= 0 ? "+" : ""}${number(gap)} on the prediction)`)],
        ["values", page.values.length ? page.values.slice(0, 60).map((value) => number(value)).join(", ") : null],
        ["failure", node.failure ? said(node.failure, "bad") : null],
        ["led to", page.children.length ? page.children.slice(0, 60).map((id, at) => [at ? ", " : "", to(id)]) : null],
        ["artefact", page.artefact ? h("code", {}, page.artefact.slice(0, 16)) : null],
      ]),
      page.reviews.map((review) => h("section", {}, h("h3", {}, `Review: ${review.verdict}`), h("p", {}, `confidence ${number(review.confidence ?? 1, 2)}, prediction ${review.prediction ?? "open"}`), (review.objections ?? []).map((each) => h("p", {}, h("b", {}, each.kind), ": ", said(each.text))))),
      page.diffs.map((diff) => h("section", {}, h("h3", {}, "Code: ", diff.title), diff.text ? diffView(diff.text) : h("p", { class: "note" }, "no change"),
        h("p", { class: "note" }, diff.source === "archive" ? "From the archived artefacts. " : "As the coder told it: the artefacts are not in the archive. ", diff.is_cut ? "Cut. " : null, diff.raw ? h("a", { href: `/raw/s/${part(this.study)}/${diff.raw}`, target: "_blank" }, "the whole diff as text") : null),
        diff.files.length ? h("p", { class: "note" }, "files: ", diff.files.map(([path, digest], at) => [at ? ", " : "", h("a", { href: `/raw/s/${part(this.study)}/content/${digest}`, target: "_blank" }, said(path))])) : null)),
      h("p", {}, h("button", { type: "button", onclick: () => this.onNode?.(node.id) }, "its messages in the timeline")),
    ];
  }

  entry(page) {
    const [first, second] = page.lines.map((line) => line.record);
    const kind = first.type;
    if (kind === "Posted") return this.message(page.lines[0], first);
    if (kind === "Decided") return this.decision(page.lines[0], first);
    return this.call(page, first, second);
  }

  cuts(line) {
    return [
      line.cuts.map((cut) => h("p", { class: "note" }, `${cut.at} is cut: `, h("a", { href: `${this.raw}/text${query({ order: line.order, at: cut.at })}`, target: "_blank" }, `all ${whole(cut.characters)} characters as text`))),
      line.left_out ? h("p", { class: "note" }, `${whole(line.left_out)} items of lists are left out`) : null,
      h("p", { class: "note" }, `line ${line.order} of the journal`),
    ];
  }

  message(line, record) {
    replace(this.name, `Message ${record.seq}`, h("span", { class: "tag" }, record.body.type));
    const body = record.body;
    return [
      facts([
        ["from", record.sender],
        ["to", record.to ?? (record.topic ? null : "everyone")],
        ["topic", record.topic],
        ["answers", record.cause ? h("a", { href: `#m-${record.cause}` }, `message ${record.cause}`) : null],
        ["node", body.node === undefined ? null : h("a", { href: `#node-${body.node}` }, body.node === 0 ? "starter" : `#${body.node}`)],
        ["deadline", record.deadline_seconds ? seconds(record.deadline_seconds) : null],
        ["at", record.measured ? seconds(record.measured.at ?? 0) : null],
      ]),
      this.fields(body, new Set(["type", "node"])),
      this.cuts(line),
    ];
  }

  fields(value, without = new Set()) {
    return Object.entries(value).filter(([name]) => !without.has(name)).map(([name, item]) => {
      if (typeof item === "string" && (item.includes("\n") || item.length > 160)) return h("section", {}, h("h3", {}, name), name === "diff" ? diffView(item) : block(item));
      if (item !== null && typeof item === "object") return h("section", {}, h("h3", {}, name), block(JSON.stringify(item, null, 1), "mono"));
      return h("p", { class: "field" }, h("b", {}, `${name} `), typeof item === "string" ? said(item) : String(item));
    });
  }

  decision(line, record) {
    replace(this.name, "Decision", h("span", { class: "tag" }, record.member));
    const ranked = Object.entries(record.candidates ?? {}).sort((a, b) => b[1] - a[1]);
    const most = Math.max(...ranked.map(([, worth]) => Math.abs(worth)), 1e-12);
    return [
      facts([["decides", said(record.what)], ["chosen", said(record.chosen)], ["rule", said(record.rule)]]),
      ranked.length ? h("table", { class: "ranked" }, h("thead", {}, h("tr", {}, h("th", {}, "among"), h("th", { class: "num" }, "worth"), h("th", {}, ""))), h("tbody", {}, ranked.map(([name, worth]) => h("tr", { class: record.chosen.includes(name) ? "on-path" : "" }, h("td", {}, said(name)), h("td", { class: "num" }, number(worth)), h("td", {}, h("meter", { min: 0, max: most, value: Math.abs(worth) })))))) : h("p", { class: "note" }, "no candidates on record"),
      this.cuts(line),
    ];
  }

  call(page, started, finished) {
    const effect = started.effect;
    const outcome = finished?.outcome;
    const measured = finished?.measured ?? {};
    replace(this.name, { ModelCall: "Model call", Command: "Command", Evaluation: "Score", ClockReading: "Clock" }[effect.type] ?? effect.type, h("span", { class: "tag" }, started.member), outcome ? null : h("span", { class: "tag running" }, "under way"));
    const call = page.call ?? {};
    const meters = [["at", started.measured ? seconds(started.measured.at ?? 0) : null], ["took", finished ? seconds(measured.seconds ?? 0) : null], ["waited", measured.waited_seconds > 0 ? seconds(measured.waited_seconds) : null], ["CPU", measured.cpu_seconds ? seconds(measured.cpu_seconds) : null], ["memory", measured.max_rss_bytes ? `${whole(measured.max_rss_bytes / 1e6)} MB` : null], ["attempts", measured.attempts > 1 ? measured.attempts : null], ["from the cache", call.cached ? "yes" : null]];
    const parts = [];
    if (effect.type === "ModelCall") {
      const done = outcome?.completion;
      const usage = done?.usage;
      parts.push(facts([["model", h("span", {}, said(effect.model), done && done.model !== effect.model ? [", answered by ", said(done.model)] : null)], ["conversation", `${effect.conversation}, after ${effect.offset} messages`], ["tokens", usage ? `${whole(usage.input_tokens ?? 0)} in${usage.cached_tokens ? ` (${whole(usage.cached_tokens)} cached)` : ""}, ${whole(usage.output_tokens ?? 0)} out${usage.reasoning_tokens ? ` (${whole(usage.reasoning_tokens)} reasoning)` : ""}${usage.is_estimate ? ", estimated" : ""}` : null], ["cost", done ? dollars(done.cost_usd) : null], ["stopped by", done?.stop_reason], ["tools", effect.tools?.length ? effect.tools.join(", ") : null], ...meters]));
      for (const message of effect.new ?? []) parts.push(this.turn(message));
      if (done) parts.push(this.turn({ role: "assistant", ...done.message }, true));
    } else if (effect.type === "Command") {
      parts.push(facts([["exit status", outcome?.type === "CommandOutcome" ? outcome.exit_code ?? "none" : null], ["cut by the limit on", outcome?.limit], ...meters]), h("h3", {}, effect.language), block(effect.source, "mono"));
      if (outcome?.type === "CommandOutcome") for (const stream of ["stdout", "stderr"]) if (outcome[stream]) parts.push(h("h3", {}, stream), block(outcome[stream], "mono"));
      if (outcome?.truncated) parts.push(h("p", { class: "note" }, "the record itself holds only the beginning of the output"));
    } else {
      const score = outcome?.score;
      parts.push(facts([["artefact", effect.artefact ? h("code", {}, effect.artefact.slice(0, 16)) : null], ["split", effect.split], ["seed", effect.seed === undefined ? null : String(effect.seed)], ["score", score ? (score.value === null ? said(score.failure, "bad") : withError(score.value, score.standard_error ?? 0)) : null], ["reading", outcome?.seconds === undefined ? null : seconds(outcome.seconds)], ...meters]));
      for (const finding of score?.findings ?? []) parts.push(h("p", {}, h("b", {}, `found ${finding.kind}${finding.advisory ? " (advisory)" : ""}: `), said(finding.detail)));
      if (score?.metrics && Object.keys(score.metrics).length) parts.push(h("h3", {}, "metrics"), facts(Object.entries(score.metrics).map(([name, value]) => [name, number(value)])));
    }
    if (outcome?.type === "Failure") parts.push(h("p", { class: "problem" }, `${outcome.kind}: `, said(outcome.message)));
    return [...parts, page.lines.map((line) => this.cuts(line))];
  }

  turn(message, isAnswer = false) {
    return h("section", { class: `turn ${message.role} ${isAnswer ? "answer" : ""}` }, h("h3", {}, isAnswer ? "answer" : message.role), message.text ? block(message.text) : null,
      (message.tool_calls ?? []).map((call) => [h("p", {}, "calls ", h("b", {}, said(call.name))), block(call.arguments, "mono")]));
  }
}
