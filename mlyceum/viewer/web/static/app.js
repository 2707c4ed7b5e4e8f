// Which page an address is.

import { episodes, compare, overview, studies } from "./pages.js";
import { episode } from "./episode.js";
import { h, studyUrl } from "./dom.js";
import { frame } from "./frame.js";
import { listen } from "./keys.js";

const parts = location.pathname.split("/").filter(Boolean).map(decodeURIComponent);
const study = parts[0] === "s" ? parts[1] : null;
const to = (href) => () => location.assign(href);

listen({
  gs: to("/?offset=0"),
  ...(study ? { go: to(studyUrl(study)), ge: to(`${studyUrl(study)}/episodes`), gc: to(`${studyUrl(study)}/compare`) } : {}),
  escape: () => document.querySelector(".detail:not([hidden]) button[aria-label=close]")?.click(),
});

try {
  if (!study) await studies();
  else if (parts.length === 2) await overview(study);
  else if (parts[2] === "episodes") await episodes(study);
  else if (parts[2] === "compare") await compare(study);
  else await episode(study, parts[3]);
} catch (error) {
  const main = document.querySelector("main") ?? frame([]);
  main.prepend(h("p", { class: "problem" }, error.message));
}
