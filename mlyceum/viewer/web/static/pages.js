// Pages about studies: the list, the overview, the episodes, arms and episodes side by side.

import { follow, get } from "./api.js";
import { chart, strip } from "./charts.js";
import { episodeUrl, h, link, part, query, replace, said, studyUrl } from "./dom.js";
import { frame, pager, progress, showState, tabs, tag } from "./frame.js";
import { remark } from "./keys.js";
import { drawTree } from "./tree.js";
import { ago, arrow, dollars, number, seconds, spending, whole, withError } from "./words.js";

const COLOURS = 6;
const isLive = (totals) => totals.behind || totals.held !== false && Boolean((totals.outcomes.running ?? 0) + (totals.outcomes.waiting ?? 0));

export async function studies() {
  const main = frame([]);
  const offset = Number(new URLSearchParams(location.search).get("offset") ?? 0);
  const list = await get(`/api/studies${query({ offset })}`);
  if (list.single && !location.search) {
    location.replace(studyUrl(list.single));
    return;
  }
  replace(main, h("h1", {}, "Studies"), h("p", { class: "note" }, said(list.root)),
    list.rows.length ? h("div", { class: "scroll" }, h("table", { class: "rows" },
      h("thead", {}, h("tr", {}, ["study", "progress", "ended", "tasks", "arms", "changed"].map((name) => h("th", { class: ["ended", "arms"].includes(name) ? "num" : ["tasks", "arms"].includes(name) ? "wide" : "" }, name)))),
      h("tbody", {}, list.rows.map((row) => h("tr", { data: { row: row.name } },
        h("td", {}, link(studyUrl(row.name), said(row.folder)), row.held ? h("span", { class: "tag running" }, "running") : null, row.problem ? h("p", { class: "problem" }, said(row.problem)) : null),
        h("td", {}, progress(row.outcomes, row.episodes)),
        h("td", { class: "num" }, `${whole(row.ended)} / ${whole(row.episodes)}`),
        h("td", { class: "wide" }, said(row.tasks.join(", "))),
        h("td", { class: "num wide" }, row.arms),
        h("td", {}, ago(row.changed))))))) : h("p", {}, "No study here yet. Make one: ", h("code", {}, "mlyceum run battle-of-sexes --seeds 3")),
    pager(offset, list.rows.length, list.total, 25, (at) => `/${query({ offset: at || null })}`));
}

export async function overview(study) {
  const main = frame([[study.replaceAll("~", "/"), null]]);
  const body = h("div", {});
  main.append(tabs(study, "overview"), body);
  await follow(`/api/s/${part(study)}`, (page) => {
    const totals = page.totals;
    const tile = (name, value, note = "") => h("div", { class: "tile" }, h("b", {}, value), h("span", {}, name), note ? h("small", {}, note) : null);
    replace(body,
      page.question ? h("h1", { class: "question" }, said(page.question)) : null,
      page.primary ? h("p", {}, "Primary comparison: ", said(page.primary), page.primary_axis ? `, equal ${page.primary_axis}` : "") : null,
      totals.behind ? h("p", { class: "note" }, `reading the index: ${whole(totals.ended)} episodes so far`) : null,
      totals.problem ? h("p", { class: "problem" }, said(totals.problem)) : null,
      h("div", { class: "wide-progress" }, progress(totals.outcomes, totals.episodes), h("p", { class: "legend" }, Object.entries(totals.outcomes).map(([name, count]) => h("a", { class: "key", href: `${studyUrl(study)}/episodes${query({ outcome: name })}` }, h("i", { class: `swatch ${name}` }), `${whole(count)} ${name}`)))),
      h("div", { class: "tiles" }, tile("episodes ended", `${whole(totals.ended)} / ${whole(totals.episodes)}`), tile("evaluations", whole(totals.evaluations)), tile("tokens", whole(totals.tokens)), tile("cost", totals.cost_usd ? dollars(totals.cost_usd) : "$0"), tile("episode time", seconds(totals.seconds), "one after the other")),
      page.running.length ? h("section", {}, h("h2", {}, "Running now"), h("div", { class: "scroll" }, h("table", { class: "rows" }, h("tbody", {}, page.running.map((row) => h("tr", { data: { row: row.episode } }, h("td", {}, link(episodeUrl(study, row.episode), said(row.episode))), h("td", { class: "num" }, `${row.evaluations}${row.budget ? ` / ${row.budget}` : ""} ev.`), h("td", { class: "num" }, row.best === null ? "–" : number(row.best)), h("td", { class: "num" }, seconds(row.seconds)), h("td", { class: "doing wide" }, said(row.doing)))))))) : null,
      h("section", {}, h("h2", {}, "Arms and tasks"), matrix(study, page), h("p", { class: "note" }, "The mean of the final scores, and each of them (at most 40 a cell); │ mean, ┊ baseline, ┊ optimum. Episodes without a score are counted, not averaged in. For intervals and tests: ", h("code", {}, "mlyceum report"), ".")),
      page.failed.length ? h("section", {}, h("h2", {}, "Let down by the outside"), rowsTable(study, page.failed)) : null,
      page.latest.length ? h("section", {}, h("h2", {}, "Ended last"), rowsTable(study, page.latest)) : null);
    remark();
  }, { isLive: (page) => isLive(page.totals), onState: showState });
}

function matrix(study, page) {
  const cells = new Map(page.cells.map((cell) => [`${cell.arm}\n${cell.task}`, cell]));
  const scales = new Map(page.tasks.map((task) => {
    const values = page.cells.filter((cell) => cell.task === task.name).flatMap((cell) => cell.points).concat([task.baseline, task.optimum].filter((value) => value !== null));
    return [task.name, { low: Math.min(...values), high: Math.max(...values) }];
  }));
  return h("div", { class: "scroll" }, h("table", { class: "matrix" },
    h("thead", {}, h("tr", {}, h("th", {}, "arm"), page.tasks.map((task) => h("th", {}, said(task.name), h("small", {}, task.metric ? ` ${task.metric} ${arrow(task.direction)}` : ""))))),
    h("tbody", {}, page.arms.map((arm) => h("tr", { data: { row: `arm-${arm.name}` } },
      h("th", { scope: "row" }, link(`${studyUrl(study)}/episodes${query({ arm: arm.name })}`, said(arm.label || arm.name)), arm.kind && arm.kind !== "treatment" ? h("span", { class: "tag" }, arm.kind) : null, arm.patches.length ? h("small", {}, said(arm.patches.join("; "))) : null),
      page.tasks.map((task) => {
        const cell = cells.get(`${arm.name}\n${task.name}`);
        if (!cell) return h("td", {}, "");
        const marks = [["baseline", task.baseline], ["optimum", task.optimum]].filter(([, value]) => value !== null).map(([name, value]) => ({ name, value, cls: name }));
        const missed = cell.ended - cell.scored;
        return h("td", {}, h("a", { class: "cell", href: `${studyUrl(study)}/episodes${query({ arm: arm.name, task: task.name })}` },
          h("b", {}, number(cell.mean)), cell.points.length ? strip(cell.points, { ...scales.get(task.name), marks, mean: cell.mean }) : h("span", { class: "strip" }),
          h("small", {}, cell.ended < cell.planned ? `${cell.ended} of ${cell.planned}` : `n ${cell.ended}`, missed ? h("span", { class: "bad" }, `, ${missed} without a score`) : null)));
      }))))));
}

const COLUMNS = [["episode", "episode", ""], ["outcome", "outcome", ""], ["final", "final", "num"], ["evaluations", "evaluations", "num wide"], ["cost", "cost", "num wide"], ["time", "seconds", "num wide"]];

function rowsTable(study, rows, heads = null, mark = null) {
  return h("div", { class: "scroll" }, h("table", { class: "rows episodes" }, heads ?? h("thead", {}, h("tr", {}, COLUMNS.map(([name, , cls]) => h("th", { class: cls }, name)))),
    h("tbody", {}, rows.map((row) => h("tr", { data: { row: row.episode } },
      mark ? h("td", { class: "check" }, h("input", { type: "checkbox", "aria-label": `compare ${row.episode}`, checked: mark.has(row.episode), onchange: (event) => mark.toggle(row.episode, event.target.checked) })) : null,
      h("td", {}, link(episodeUrl(study, row.episode), said(row.episode)), row.problem ? h("small", { class: "why" }, said(row.problem.slice(0, 200))) : null),
      h("td", {}, tag(row.outcome)),
      h("td", { class: "num" }, withError(row.final, row.standard_error)),
      h("td", { class: "num wide" }, row.evaluations || ""),
      h("td", { class: "num wide" }, row.cost ? dollars(row.cost) : ""),
      h("td", { class: "num wide" }, row.seconds ? seconds(row.seconds) : ""))))));
}

export async function episodes(study) {
  const main = frame([[study.replaceAll("~", "/"), studyUrl(study)], ["episodes", null]]);
  const asked = new URLSearchParams(location.search);
  const now = { task: asked.get("task") ?? "", arm: asked.get("arm") ?? "", outcome: asked.get("outcome") ?? "", q: asked.get("q") ?? "", sort: asked.get("sort") ?? "", desc: asked.has("desc"), offset: Number(asked.get("offset") ?? 0) };
  const url = (change) => `${location.pathname}${query({ ...now, offset: 0, ...change, ...(change.offset === 0 ? { offset: null } : {}) })}`;
  const go = (change) => location.assign(url(change));
  const marked = new Set();
  const compare = h("p", { class: "compare-bar", hidden: true });
  const mark = {
    has: (name) => marked.has(name),
    toggle: (name, on) => {
      if (on) marked.add(name); else marked.delete(name);
      compare.hidden = marked.size === 0;
      replace(compare, `${marked.size} marked `, marked.size > 1 ? link(`${studyUrl(study)}/compare${query({ e: [...marked].slice(0, 6) })}`, "compare side by side") : "(x marks another)");
    },
  };
  const body = h("div", {});
  main.append(tabs(study, "episodes"), body, compare);
  const path = `/api/s/${part(study)}/episodes${query({ ...now, offset: now.offset || null })}`;
  let timer;
  const search = h("input", { type: "search", placeholder: "name or problem", "aria-label": "search", "data-search": true, value: now.q, onkeydown: (event) => { if (event.key === "Enter") go({ q: event.target.value }); }, onsearch: (event) => { clearTimeout(timer); timer = setTimeout(() => go({ q: event.target.value }), 0); } });
  const pick = (name, values) => h("select", { "aria-label": name, onchange: (event) => go({ [name]: event.target.value }) }, h("option", { value: "" }, `every ${name}`), values.filter(Boolean).map((value) => h("option", { value, selected: value === now[name] }, value)));
  let filters = null;
  await follow(path, (page) => {
    filters ??= h("div", { class: "filters" }, search, pick("task", page.tasks), pick("arm", page.arms), pick("outcome", Object.keys(page.outcomes)));
    const heads = h("thead", {}, h("tr", {}, h("th", { class: "check" }, ""), COLUMNS.map(([name, sort, cls]) => {
      const isNow = now.sort === sort || (!now.sort && sort === "episode");
      return h("th", { class: cls, "aria-sort": isNow ? (now.desc ? "descending" : "ascending") : null }, link(url({ sort, desc: isNow ? !now.desc : ["final", "cost", "seconds", "evaluations"].includes(sort) }), name, isNow ? (now.desc ? " ▾" : " ▴") : ""));
    })));
    replace(body, filters, rowsTable(study, page.page.rows, heads, mark), pager(page.page.offset, page.page.rows.length, page.page.total, 50, (offset) => url({ offset })));
    remark();
  }, { isLive: (page) => isLive(page), onState: showState, every: 2000 });
}

export async function compare(study) {
  const main = frame([[study.replaceAll("~", "/"), studyUrl(study)], ["compare", null]]);
  const asked = new URLSearchParams(location.search);
  const body = h("div", {});
  main.append(tabs(study, "compare"), body);
  if (asked.getAll("e").length) await compareEpisodes(study, asked.getAll("e"), body);
  else await compareArms(study, asked, body);
}

const colour = (at) => `c${at % COLOURS}`;
const keyOf = (names) => h("p", { class: "legend" }, names.map((name, at) => h("span", { class: "key" }, h("i", { class: `swatch ${colour(at)}` }), said(name))));

async function compareArms(study, asked, body) {
  const page = await get(`/api/s/${part(study)}/arms${query({ task: asked.get("task"), arm: asked.getAll("arm") })}`);
  const task = page.task;
  const shown = page.curves.map((curve) => curve.arm);
  const go = (change) => location.assign(`${location.pathname}${query({ task: task.name, arm: shown, ...change })}`);
  const levels = [["baseline", task.baseline], ["optimum", task.optimum]].filter(([, value]) => value !== null).map(([name, y]) => ({ name, y, cls: name }));
  const finals = page.curves.flatMap((curve) => curve.finals.filter((value) => value !== null));
  const scale = { low: Math.min(...finals, ...levels.map((each) => each.y)), high: Math.max(...finals, ...levels.map((each) => each.y)) };
  replace(body,
    h("div", { class: "filters" }, h("select", { "aria-label": "task", onchange: (event) => go({ task: event.target.value }) }, page.tasks.filter(Boolean).map((name) => h("option", { value: name, selected: name === task.name }, name))),
      page.arms.filter(Boolean).map((arm) => h("button", { type: "button", class: "chip", "aria-pressed": String(shown.includes(arm)), onclick: () => go({ arm: shown.includes(arm) ? shown.filter((each) => each !== arm) : [...shown, arm] }) }, arm))),
    h("h2", {}, `Feedback over budget${task.metric ? `: ${task.metric} ${arrow(task.direction)}` : ""}`),
    keyOf(shown),
    chart({ series: page.curves.map((curve, at) => ({ name: curve.arm, cls: colour(at), step: true, points: curve.mean.map((point) => ({ x: point.evaluations, y: point.value })) })), levels, xLabel: "feedback evaluations", yLabel: task.metric ?? "score", height: 300 }),
    h("p", { class: "note" }, `Mean over episodes (at most ${page.most} an arm, by seed) of the feedback on what stood after so many evaluations: what the team saw, not what it is scored by. An episode that ended sooner keeps what it handed in.`),
    h("h2", {}, "Final scores"),
    h("div", { class: "scroll" }, h("table", { class: "rows narrow" }, h("tbody", {}, page.curves.map((curve, at) => {
      const values = curve.finals.filter((value) => value !== null);
      const mean = values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
      return h("tr", { data: { row: curve.arm } }, h("td", {}, h("i", { class: `swatch ${colour(at)}` }), " ", link(`${studyUrl(study)}/episodes${query({ arm: curve.arm, task: task.name })}`, said(curve.arm))), h("td", { class: "num" }, number(mean)), h("td", {}, values.length ? strip(values, { ...scale, marks: levels.map((each) => ({ name: each.name, value: each.y, cls: each.name })), mean, width: 260 }) : ""), h("td", { class: "num" }, `n ${values.length}`, curve.finals.length > values.length ? ` of ${curve.finals.length}` : ""));
    })))));
}

async function compareEpisodes(study, names, body) {
  const page = await get(`/api/s/${part(study)}/together${query({ e: names })}`);
  const heads = page.episodes;
  const final = (head) => head.finals.find((each) => each.split === "final");
  const facts = [["task", (head) => said(head.task.name)], ["arm", (head) => said(head.arm)], ["strategy", (head) => said(head.strategy)], ["changed", (head) => said(head.patches.join("; ") || "nothing")], ["driven by", (head) => said(head.drivers)], ["seeds", (head) => Object.entries(head.seeds).map(([name, value]) => `${name} ${value}`).join(", ")], ["outcome", (head) => tag(head.outcome || head.state)], ["final", (head) => (final(head) ? withError(final(head).value, final(head).standard_error) : "–")], ["spent", (head) => spending(head.spending, head.budget)], ["time", (head) => seconds(head.seconds)], ["messages", (head) => whole(head.messages)], ["nodes", (head) => whole(head.tree.length - 1 + head.tree_left_out)]];
  const sameTask = new Set(heads.map((head) => head.task.name)).size === 1;
  replace(body,
    h("h2", {}, "Feedback over budget"), keyOf(heads.map((head) => head.episode)),
    sameTask ? null : h("p", { class: "problem" }, "These episodes are of different tasks: their scores do not compare."),
    chart({ series: heads.map((head, at) => ({ name: head.episode, cls: colour(at), step: true, points: head.curve.map((point) => ({ x: point.evaluations, y: point.value })) })), levels: sameTask && heads[0]?.baseline !== null ? [{ name: "baseline", y: heads[0].baseline, cls: "baseline" }] : [], xLabel: "feedback evaluations", yLabel: "score", height: 280 }),
    h("div", { class: "scroll" }, h("table", { class: "facts-table" }, h("thead", {}, h("tr", {}, h("th", {}, ""), heads.map((head, at) => h("th", {}, h("i", { class: `swatch ${colour(at)}` }), " ", link(episodeUrl(study, head.episode), said(head.episode)))))), h("tbody", {}, facts.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), heads.map((head) => h("td", {}, value(head)))))))),
    h("div", { class: "beside" }, heads.map((head) => h("section", {}, h("h3", {}, said(head.episode)), drawTree(head, (event) => { event.preventDefault(); location.assign(episodeUrl(study, head.episode) + event.currentTarget.getAttribute("href")); })))));
}
