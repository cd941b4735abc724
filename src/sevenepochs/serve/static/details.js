// What a run was and which rules it kept: figures, certificate, machine, and the config slot by slot.

import { get } from "./api.js";
import { el, message } from "./dom.js";
import { whole } from "./format.js";
import { state } from "./state.js";
import { runPicker } from "./titles.js";

let shown = null;

export async function showDetails(body) {
  shown ??= state.a;
  const picker = runPicker(shown, (name) => {
    shown = name;
    showDetails(body);
  });
  const content = el("div", {}, el("p", { class: "quiet" }, "Reading …"));
  body.replaceChildren(el("div", { class: "bar-of-choices" }, picker), content);
  const asked = shown;
  try {
    const found = await get(`api/details/${encodeURIComponent(asked)}`);
    if (asked === shown) content.replaceChildren(draw(found));
  } catch (error) {
    content.replaceChildren(message(error.message));
  }
}

function draw({ figures, certificate, config, corpus, machine }) {
  return el("div", { class: "details" },
    el("div", { class: "stack" }, rules(certificate), section("Figures", figures.length ? el("table", {}, el("tbody", {}, figures.map((figure) =>
      el("tr", {}, el("th", { scope: "row" }, figure.label, el("div", { class: "facts" }, figure.meaning)), el("td", { class: "number" }, figure.text))))) : el("p", { class: "quiet" }, "They come at the end of training.")),
    section("Corpus and machine", list({ corpus: corpus.name, file: corpus.file, "training titles": corpus.split?.n_train, "validation titles": corpus.split?.n_validation, ...machine }))),
    el("div", { class: "stack" }, section("Config", ...slots(config))));
}

function rules(certificate) {
  if (!certificate) return section("Certificate", el("p", { class: "quiet" }, "It is written at the end of training."));
  return section("Certificate",
    el("p", { class: "facts" }, certificate.clean ? "All rules kept." : `Broken: ${certificate.broken.join(", ")}.`, ` Track: ${certificate.track}.`),
    el("ul", { class: "rules" }, certificate.rules.map((rule) => el("li", {},
      el("span", { class: `mark ${rule.ok ? "kept" : "broken"}`, role: "img", "aria-label": rule.ok ? "kept" : "broken" }, rule.ok ? "✓" : "✗"), el("span", {}, rule.rule), el("span", { class: "detail" }, rule.detail)))));
}

const section = (name, ...children) => el("section", { class: "card", "aria-label": name }, el("h2", {}, name), ...children);

// One block a slot: its class, then its settings; slots inside slots follow with their path.
function slots(config, path = "") {
  const own = {};
  const inner = [];
  for (const [key, value] of Object.entries(config)) {
    if (value && typeof value === "object" && value.kind) inner.push(...slots(value, path ? `${path}.${key}` : key));
    else if (key !== "kind") own[key] = value;
  }
  if (!path) return inner;
  return [el("div", { class: "slot" }, el("h3", {}, `${path}: ${config.kind.split(":").at(-1)}`), Object.keys(own).length ? list(own) : null), ...inner];
}

const list = (object) => el("dl", {}, Object.entries(object).filter(([, value]) => value !== null && value !== undefined).map(([key, value]) => [el("dt", {}, key), el("dd", {}, text(value))]));

function text(value) {
  if (typeof value === "number") return Number.isInteger(value) && value >= 10000 ? whole(value) : String(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
