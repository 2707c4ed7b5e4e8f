// Asking the server: documents as JSON, and again while they may change and somebody looks.

export class Refused extends Error {}

export async function get(path, known = null) {
  const url = known === null ? path : `${path}${path.includes("?") ? "&" : "?"}known=${encodeURIComponent(known)}`;
  let answer;
  try {
    answer = await fetch(url, { headers: { accept: "application/json" } });
  } catch {
    throw new Refused("the viewer does not answer; is `mlyceum view` still running?");
  }
  if (answer.status === 204) return null;
  const text = await answer.text();
  let document = null;
  try {
    document = JSON.parse(text);
  } catch {
    document = { error: text.trim() };
  }
  if (!answer.ok) throw new Refused(document.error || `the viewer answered ${answer.status}`);
  return document;
}

/** Calls `look(document)` now and whenever there is something new; `isLive(document)` says whether to go on asking. */
export async function follow(path, look, { isLive, every = 1000, onState = () => {} }) {
  let document = await get(path);
  look(document, true);
  const wait = (time) => new Promise((done) => setTimeout(done, time));
  let pause = every;
  while (isLive(document)) {
    onState("live");
    await wait(pause);
    if (window.document.hidden) continue;
    try {
      const news = await get(path, document.version);
      pause = every;
      if (news !== null) {
        document = news;
        look(document, false);
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      onState("lost", error.message);
      pause = Math.min(pause * 2, 15000);
    }
  }
  onState("ended");
}
