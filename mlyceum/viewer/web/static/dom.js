// Elements from values. Text is only ever set as text: nothing in here, or anywhere in the viewer, parses markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return element;
}

export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Text that an agent wrote: of its own direction, so that it cannot reorder what stands beside it. */
export const said = (text, cls = "") => h("bdi", { class: `said ${cls}` }, text ?? "");

export const link = (href, ...children) => h("a", { href }, ...children);

export const title = (text) => s("title", {}, text);

export function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
}

export const query = (values) => {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== "" && each !== null && each !== undefined && each !== false) search.append(name, each === true ? "" : each);
    }
  }
  const text = search.toString();
  return text ? `?${text}` : "";
};

export const part = encodeURIComponent;
export const studyUrl = (study) => `/s/${part(study)}`;
export const episodeUrl = (study, episode, hash = "") => `/s/${part(study)}/e/${part(episode)}${hash ? `#${part(hash)}` : ""}`;
