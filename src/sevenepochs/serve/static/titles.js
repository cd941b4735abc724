// The validation titles that a run predicted worst and best; each opens in the typing view.

import { get } from "./api.js";
import { el, message } from "./dom.js";
import { bits, whole } from "./format.js";
import { label, state } from "./state.js";

const MEASURES = { nats_per_char: "nats a character", bits: "bits in all" };
let measure = "nats_per_char";
const AT_FIRST = 20; // rows of each list; the others on demand
let shown = null; // the run that is listed

export async function showTitles(body, open) {
  shown ??= state.a;
  const picker = runPicker(shown, (name) => {
    shown = name;
    showTitles(body, open);
  });
  const choice = el("div", { class: "choice", role: "group", "aria-label": "Measure" }, Object.entries(MEASURES).map(([key, text]) =>
    el("button", { type: "button", "aria-pressed": String(key === measure), onclick: () => { measure = key; showTitles(body, open); } }, text)));
  const lists = el("div", {}, el("p", { class: "quiet" }, "Reading the titles …"));
  body.replaceChildren(el("div", { class: "bar-of-choices" }, picker, choice), lists);
  const asked = shown;
  try {
    const found = await get(`api/titles/${encodeURIComponent(asked)}`);
    if (asked === shown) draw(lists, found, open);
  } catch (error) {
    lists.replaceChildren(message(error.message));
  }
}

function draw(lists, found, open) {
  const line = (row) => el("li", {}, el("button", { type: "button", onclick: () => open(row.title, shown) },
    el("span", {}, row.title || "(empty)"), el("span", { class: "bits" }, measure === "bits" ? bits(row.bits) : row.nats_per_char.toFixed(3))));
  const list = (name, rows) => {
    const lines = el("ol", {}, rows.slice(0, AT_FIRST).map(line));
    const rest = rows.slice(AT_FIRST);
    const more = rest.length ? el("button", { type: "button", class: "button more", onclick: () => { lines.append(...rest.map(line)); more.remove(); lines.children[AT_FIRST].firstChild.focus(); } }, `${whole(rest.length)} more`) : null;
    return el("section", { class: "card", "aria-label": name }, el("h2", {}, name), lines, more);
  };
  lists.replaceChildren(
    el("p", { class: "facts intro" }, `${whole(found.n_titles)} validation titles, ${bits(found.mean_bits)} bits each on average. As the run scored them, with the titles before them in view: typed alone, a title costs somewhat more or less. A title's loss includes its end, which counts as 5 characters, as in the exact loss.`),
    el("div", { class: "lists" }, list("Worst", found[measure].worst), list("Best", found[measure].best)));
}

export function runPicker(chosen, pick) {
  const picker = el("select", { "aria-label": "Run", onchange: () => pick(picker.value) }, state.runs.map((run) => el("option", { value: run.name }, label(run.name))));
  picker.value = chosen;
  return picker;
}
