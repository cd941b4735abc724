// Elements without markup: every text goes in as text, so nothing a title or a model says can become a tag.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "width" && element.tagName === "I") element.style.width = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) if (child !== null && child !== undefined) element.append(child);
  return element;
}

export const el = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);
export const svg = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);
export const byId = (id) => document.getElementById(id);
export const message = (text) => el("p", { class: "message", role: "alert" }, text);

// Characters as Python counts them (code points, not UTF-16 units): the server's spans are in these.
export const chars = (text) => Array.from(text);
