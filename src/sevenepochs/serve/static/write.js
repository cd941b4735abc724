// Titles drawn from the runs, streamed. Moving a slider draws again at once, from the same seed.

import { sample } from "./api.js";
import { byId, el } from "./dom.js";
import { label, state } from "./state.js";

const AGAIN_MS = 250;
const TOP_K = [0, 1, 2, 5, 10, 20, 50, 100, 200]; // 0: the whole vocabulary
let controls = {};
let abort = null;
let timer = 0;

export function drawWrite() {
  const temperature = el("input", { id: "temperature", type: "range", min: 0, max: 1.5, step: 0.05, value: 0.8, oninput: live });
  const topK = el("input", { id: "top-k", type: "range", min: 0, max: TOP_K.length - 1, step: 1, value: 6, oninput: live });
  const count = el("input", { id: "count", type: "number", min: 1, max: state.limits.samples, step: 1, value: 5 });
  const seed = el("input", { id: "seed", type: "number", min: 0, max: 4294967295, step: 1, value: 1337 });
  const outputs = { temperature: el("output", { for: "temperature" }), topK: el("output", { for: "top-k" }) };
  const go = el("button", { type: "button", class: "button main", onclick: write }, "Write titles");
  const stop = el("button", { type: "button", class: "button", disabled: true, onclick: halt }, "Stop");
  const lists = el("div", { class: "written" });
  controls = { temperature, topK, count, seed, outputs, go, stop, lists };
  const control = (input, text, output) => el("div", { class: "control" }, el("label", { for: input.id }, text, " ", output), input);
  byId("write").append(
    el("h2", { id: "h-write" }, "Let it write"),
    el("p", { class: "facts" }, "Titles that begin with the headline above, drawn from a small model that knows no facts: they can be false or offensive."),
    el("div", { class: "controls" }, control(temperature, "Temperature", outputs.temperature), control(topK, "Draw from the likeliest", outputs.topK),
      control(count, `Titles (at most ${state.limits.samples})`), control(seed, "Seed"), go, stop),
    lists);
  drawOutputs();
}

const settings = () => ({
  temperature: Number(controls.temperature.value),
  top_k: TOP_K[Number(controls.topK.value)],
  seed: Math.min(4294967295, Math.max(0, Math.trunc(Number(controls.seed.value)) || 0)),
  n: Math.min(state.limits.samples, Math.max(1, Math.trunc(Number(controls.count.value)) || 1)),
});

function drawOutputs() {
  const { temperature, top_k: k } = settings();
  controls.outputs.temperature.textContent = temperature === 0 ? "0 (always the likeliest)" : temperature.toFixed(2);
  controls.outputs.topK.textContent = k === 0 ? "all tokens" : k === 1 ? "1 token" : `${k} tokens`;
}

// A slider moved: with titles on the page, draw them again.
function live() {
  drawOutputs();
  if (!controls.lists.children.length) return;
  clearTimeout(timer);
  timer = setTimeout(write, AGAIN_MS);
}

export function promptChanged() {
  halt();
}

function halt() {
  abort?.abort();
  abort = null;
  clearTimeout(timer);
  controls.stop.disabled = true;
}

async function write() {
  halt();
  const mine = (abort = new AbortController());
  controls.stop.disabled = false;
  const runs = state.b === "none" || state.b === state.a ? [state.a] : [state.a, state.b];
  controls.lists.classList.toggle("two", runs.length === 2);
  const columns = runs.map((run) => ({ run, list: el("ol", { "aria-label": `Titles written by ${label(run)}` }) }));
  controls.lists.replaceChildren(...columns.map(({ run, list }) => el("div", {}, runs.length === 2 ? el("h3", {}, label(run)) : null, list)));
  await Promise.all(columns.map(({ run, list }) => writeOne(run, list, mine)));
  if (abort === mine) halt();
}

async function writeOne(run, list, mine) {
  const prompt = state.text.trimEnd();
  const lines = [];
  try {
    await sample({ run, text: state.text, ...settings() }, mine.signal, (line) => {
      if (line.error) throw new Error(line.error);
      if (line.done) return;
      const row = (lines[line.sample] ??= startLine(list, prompt));
      if (line.text !== undefined) row.new.textContent = prompt ? line.text : line.text.trimStart();
      if (line.end === "length") row.item.append(el("span", { class: "cut" }, " … cut"));
    });
  } catch (error) {
    if (error.name !== "AbortError") list.append(el("li", { class: "message", role: "alert" }, error.message));
  }
}

function startLine(list, prompt) {
  const added = el("span");
  const item = el("li", {}, el("span", { class: "given" }, prompt), added);
  list.append(item);
  return { item, new: added };
}
