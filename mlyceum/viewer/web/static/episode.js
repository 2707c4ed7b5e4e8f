// One episode: scores over budget, research tree, timeline, model calls, devices, facts; and one thing in full beside it.

import { follow } from "./api.js";
import { chart, lanes } from "./charts.js";
import { Detail } from "./detail.js";
import { episodeUrl, h, part, replace, said, studyUrl } from "./dom.js";
import { frame, showState, tag } from "./frame.js";
import { mark, remark } from "./keys.js";
import { Timeline } from "./timeline.js";
import { drawTree, legend } from "./tree.js";
import { arrow, dollars, number, seconds, spending, whole, withError } from "./words.js";

const AXES = [["evaluation", "evaluations"], ["at", "seconds"], ["tokens", "tokens"], ["cost_usd", "USD"]];

export async function episode(study, name) {
  const main = frame([[study.replaceAll("~", "/"), studyUrl(study)], ["episodes", `${studyUrl(study)}/episodes`], [name, null]]);
  const url = `/api/s/${part(study)}/e/${part(name)}`;
  const detail = new Detail(study, name);
  const timeline = new Timeline(url);
  const section = (number_, title, ...children) => h("section", { data: { section: String(number_) } }, h("h2", {}, title), children);
  const head = h("div", { class: "head" }), scores = h("div", {}), tree = h("div", {}), calls = h("div", {}), devices = h("div", {}), facts = h("div", {});
  const callsSection = section(4, "Model calls", calls);
  replace(main, head, section(1, "Scores over budget", scores), section(2, "Research tree", legend(), tree), section(3, "Timeline", timeline.element), callsSection, section(5, "What worked when", devices), section(6, "Facts", facts));
  document.body.append(detail.element);
  detail.onNode = async (id) => {
    timeline.choice = { kind: [], member: "", q: "", node: String(id) };
    timeline.controls();
    await timeline.load({ last: true });
    timeline.element.scrollIntoView({ block: "start" });
  };

  const follows = async () => {
    const key = decodeURIComponent(location.hash.slice(1));
    if (!key) return;
    if (key.startsWith("section-")) return;
    if (!key.startsWith("node-") && !timeline.entries.some((entry) => entry.key === key)) await timeline.load({ around: key });
    const row = document.querySelector(`[data-row="${CSS.escape(key)}"]`);
    if (row) { mark(row); row.scrollIntoView({ block: "nearest" }); }
    await detail.show(key);
  };
  addEventListener("hashchange", follows);

  let axis = "evaluation";
  const draw = (page, isFirst) => {
    const final = page.finals.find((each) => each.split === "final" && each.which === "handed in");
    const handed = page.tree.find((node) => node.handed_in);
    replace(head, h("div", { class: "title" }, h("h1", {}, said(page.episode)), tag(page.outcome || page.state), page.problem ? h("p", { class: "problem" }, `the record ends here: ${page.problem}`) : null),
      h("div", { class: "tiles" },
        h("div", { class: "tile lead" }, h("b", {}, final ? withError(final.value, final.standard_error) : "–"), h("span", {}, `final ${page.metric} ${arrow(page.direction)}`), h("small", {}, final && final.value === null ? said(final.failure, "bad") : page.baseline === null ? "" : `baseline ${number(page.baseline)}`)),
        h("div", { class: "tile" }, h("b", {}, handed ? (handed.id === 0 ? "starter" : `#${handed.id}`) : "–"), h("span", {}, "handed in")),
        h("div", { class: "tile" }, h("b", {}, `${page.feedback.length}${page.budget.evaluations ? ` / ${whole(page.budget.evaluations)}` : ""}`), h("span", {}, "evaluations")),
        h("div", { class: "tile" }, h("b", {}, whole(page.messages)), h("span", {}, "messages")),
        h("div", { class: "tile" }, h("b", {}, page.spending.cost_usd ? dollars(page.spending.cost_usd) : "$0"), h("span", {}, "cost"), h("small", {}, page.spending.tokens ? `${whole(page.spending.tokens)} tokens` : "")),
        h("div", { class: "tile" }, h("b", {}, seconds(page.seconds)), h("span", {}, "time"))),
      page.reason ? h("p", {}, said(page.reason)) : null,
      h("p", { class: "near" }, page.before ? h("a", { href: episodeUrl(study, page.before), "data-before": "" }, "← previous") : null, page.after ? h("a", { href: episodeUrl(study, page.after), "data-after": "" }, "next →") : null));

    drawScores(page);
    replace(tree, drawTree(page));
    timeline.setLanes(page.lanes);
    callsSection.hidden = page.usage.length === 0;
    replace(calls, usage(page), h("p", {}, h("button", { type: "button", onclick: async () => { timeline.choice = { kind: ["model"], member: "", q: "", node: "" }; timeline.controls(); await timeline.load({ last: true }); timeline.element.scrollIntoView(); } }, "each call in the timeline")));
    replace(devices, page.busy.length ? lanes(page.busy, page.lanes.filter((lane) => page.busy.some((each) => each.member === lane)), page.seconds) : h("p", { class: "note" }, "nothing yet"),
      h("p", { class: "legend" }, ["score", "command", "model", "waited"].map((kind) => h("span", { class: "key" }, h("i", { class: `swatch ${kind}` }), kind))),
      h("p", { class: "note" }, page.busy_fraction === null ? "" : `Scores and commands were under way ${Math.round(page.busy_fraction * 100)} % of the time; idle ${Math.round((1 - page.busy_fraction) * 100)} %. Effects waited ${seconds(page.waited_seconds)} for their turn in all. An answer that came from the cache takes no time.`));
    replace(facts, h("dl", { class: "facts" }, [
      ["task", said(page.task.name)], ["arm", said(page.arm)], ["changed", page.patches.length ? said(page.patches.join("; ")) : "nothing"],
      ["strategy", h("span", {}, said(page.strategy), page.in_flight > 1 ? `, ${page.in_flight} in flight` : "")], ["driven by", said(page.drivers)], ["protocol", page.protocol],
      ["seeds", Object.entries(page.seeds).map(([kind, value]) => `${kind} ${value}`).join(", ")], ["spent", spending(page.spending, page.budget)],
      ["record", page.deterministic ? "a rerun repeats it message for message" : "not deterministic: a clock or an arrival order decided"],
      ["read it in a terminal", h("code", {}, `mlyceum show …/${page.episode}`)],
    ].filter(([, value]) => value).map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)])));
    remark();
    if (!isFirst) {
      timeline.news();
      if (detail.key?.startsWith("node-")) detail.show(detail.key);
    }
  };

  const drawScores = (page) => {
    const known = AXES.filter(([key]) => key === "evaluation" || page.feedback.some((point) => point[key] > 0));
    if (!known.some(([key]) => key === axis)) axis = "evaluation";
    const label = AXES.find(([key]) => key === axis)[1];
    const points = page.feedback.filter((point) => point.value !== null);
    const byEvaluation = new Map(page.feedback.map((point) => [point.evaluation, point]));
    const x = (evaluations) => (axis === "evaluation" ? evaluations : byEvaluation.get(evaluations)?.[axis] ?? 0);
    const finals = page.finals.filter((each) => each.value !== null && each.split === "final");
    const levels = [...(page.baseline === null ? [] : [{ name: "baseline", y: page.baseline, cls: "baseline" }]), ...(page.task.optimum === null ? [] : [{ name: "optimum", y: page.task.optimum, cls: "optimum" }]), ...finals.filter((each) => each.which === "handed in").map((each) => ({ name: "final", y: each.value, cls: "final" }))];
    replace(scores,
      known.length > 1 ? h("div", { class: "filters" }, known.map(([key, title]) => h("button", { type: "button", class: "chip", "aria-pressed": String(key === axis), onclick: () => { axis = key; drawScores(page); } }, title))) : null,
      points.length ? chart({ series: [
        { name: "mean feedback on what stood", cls: "c0", step: true, points: page.curve.map((point) => ({ x: x(point.evaluations), y: point.value })) },
        { name: "feedback", cls: "c1", line: false, dots: true, points: points.map((point) => ({ x: point[axis], y: point.value, error: point.standard_error, href: point.node === null ? null : `#node-${point.node}`, label: `evaluation ${point.evaluation}${point.node === null ? "" : `, node #${point.node}`}: ${withError(point.value, point.standard_error)}` })) },
      ], levels, xLabel: label, yLabel: page.metric, height: 250 }) : h("p", { class: "note" }, "no feedback yet"),
      h("p", { class: "legend" }, h("span", { class: "key" }, h("i", { class: "swatch c1" }), "one feedback score ± its standard error"), h("span", { class: "key" }, h("i", { class: "swatch c0" }), "mean feedback on what stood")),
      page.finals.length ? h("div", { class: "scroll" }, h("table", { class: "rows" }, h("thead", {}, h("tr", {}, ["split", "which", "score", "findings"].map((title) => h("th", { class: title === "score" ? "num" : "" }, title)))), h("tbody", {}, page.finals.map((each) => h("tr", {}, h("td", {}, each.split), h("td", {}, each.which), h("td", { class: "num" }, each.value === null ? said(each.failure, "bad") : withError(each.value, each.standard_error)), h("td", {}, each.findings.length ? each.findings.map(([kind, text, advisory]) => h("p", { class: advisory ? "note" : "bad" }, `${kind}${advisory ? " (advisory)" : ""}: `, said(text))) : "none")))))) : h("p", { class: "note" }, "no score yet of what the team never saw"));
  };

  const usage = (page) => h("div", { class: "scroll" }, h("table", { class: "rows" }, h("thead", {}, h("tr", {}, ["member", "model", "calls", "input", "cached", "output", "reasoning", "cost", "time"].map((title, at) => h("th", { class: at > 1 ? "num" : "" }, title)))), h("tbody", {}, page.usage.map((row) => h("tr", {}, h("td", {}, row.member), h("td", {}, said(row.model)), [row.calls, row.input_tokens, row.cached_tokens, row.output_tokens, row.reasoning_tokens].map((value) => h("td", { class: "num" }, whole(value))), h("td", { class: "num" }, `${dollars(row.cost_usd)}${row.is_estimate ? " est." : ""}`), h("td", { class: "num" }, seconds(row.seconds)))))));

  await follow(url, (page, isFirst) => {
    draw(page, isFirst);
    if (isFirst) timeline.load({ last: true }).then(follows);
  }, { isLive: (page) => page.state === "running", onState: showState });
}
