// The typing view: one headline, one or two runs on it, where one run gains on the other, and sampling below.

import { Column, EDGES } from "./column.js";
import { byId, chars, el } from "./dom.js";
import { bits, whole } from "./format.js";
import { label, remember, state } from "./state.js";
import { drawWrite, promptChanged } from "./write.js";

const DEBOUNCE_MS = 25;
const input = byId("headline");
const columns = {};
let timer = 0;
let refocus = null; // the column whose candidate was taken by keyboard: focus goes back to its list

export function startTyping() {
  drawLegend();
  for (const which of ["a", "b"]) {
    columns[which] = new Column(which, { take, look, answered, back: () => input.focus(), pick, told: later });
  }
  byId("columns").append(columns.a.root, columns.b.root);
  drawWrite();
  input.value = state.text;
  input.addEventListener("input", () => {
    state.text = input.value;
    later();
    drawCount();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") columns.a.focusStrip();
    else if (event.key === "Enter") columns.a.focusRow(0);
    else return;
    event.preventDefault();
  });
  drawCount();
  arrange();
}

function later() {
  clearTimeout(timer);
  for (const column of [columns.a, columns.b]) column.waits(true); // what is shown is not about this text any more
  timer = setTimeout(refresh, DEBOUNCE_MS);
}

// Another run or none was picked.
function pick(which, name) {
  state[which] = name;
  arrange();
}

function arrange() {
  const two = state.b !== "none";
  const picker = columns.b.picker;
  const focused = document.activeElement;
  byId("columns").classList.toggle("two", two);
  columns.b.root.hidden = !two;
  if (two) columns.b.head.insertBefore(picker, columns.b.facts);
  else columns.a.head.insertBefore(picker, columns.a.facts); // one run alone: the offer to compare stands beside it
  if (focused === picker) picker.focus();
  columns.a.drawPicker();
  columns.b.drawPicker();
  refresh();
}

export function setText(text, run = state.a) {
  state.text = input.value = text;
  drawCount();
  if (run === state.a || run === state.b) refresh();
  else pick("a", run);
}

function refresh() {
  remember();
  for (const column of [columns.a, columns.b]) column.waits(false);
  if (tooLong()) return;
  columns.a.ask(state.text);
  if (state.b !== "none") columns.b.ask(state.text);
  else columns.b.answer = null;
  promptChanged();
}

function take(text, column) {
  refocus = column.focusedRow() >= 0 ? column : null;
  setText(text);
}

function look(column, place) {
  const other = column === columns.a ? columns.b : columns.a;
  if (other.answer && other.answer.text === column.answer.text) other.follow(column.startOf(place));
}

function answered() {
  if (refocus?.answer?.text === state.text) {
    const column = refocus;
    refocus = null;
    column.focusRow(0);
  }
  drawDifference();
}

const tooLong = () => chars(state.text).length > state.limits.text_chars;

function drawCount() {
  const n = chars(state.text).length;
  const limit = state.limits.text_chars;
  byId("headline-count").textContent = `${whole(n)} of at most ${whole(limit)} characters`;
  const message = byId("headline-message");
  message.hidden = !tooLong();
  message.textContent = tooLong() ? `Too long: ${whole(n)} characters, and at most ${whole(limit)} are read. Shorten it by ${whole(n - limit)}.` : "";
  input.setAttribute("aria-invalid", String(tooLong()));
}

function drawLegend() {
  const names = ["0–1", ...EDGES.slice(0, -1).map((edge, i) => `${edge}–${EDGES[i + 1]}`), `${EDGES.at(-1)}+`];
  byId("legend").append(
    el("span", {}, "Surprise in bits, under each token"),
    el("ol", { class: "scale", "aria-label": "Colour scale, bits of surprise" }, names.map((name, i) => el("li", { class: `s${i}` }, name))),
    el("span", {}, "n bits: expected one time in 2ⁿ"));
}

// Where one run needs fewer bits, over the pieces between places at which both tokenizers cut.
function drawDifference() {
  const box = byId("difference");
  const { a, b } = { a: columns.a.answer, b: columns.b.answer };
  if (!a || !b || a.text !== b.text || state.b === "none" || (a.run === b.run && a.told === b.told) || !a.tokens.length) {
    box.hidden = true;
    return;
  }
  const pieces = commonPieces(a.tokens, b.tokens);
  const gain = a.bits - b.bits;
  const better = gain > 0 ? "b" : "a";
  const letters = chars(a.text);
  box.replaceChildren(
    el("h2", { id: "h-difference" }, "Where the difference is"),
    el("p", { class: "facts" }, Math.abs(gain) < 0.05 ? "Both need the same number of bits." : `${better.toUpperCase()} (${label(state[better])}) needs ${bits(Math.abs(gain))} bits less for this text. Underlined: who needs fewer bits for that piece.`),
    el("div", { class: "words" }, pieces.map((piece) => {
      const saved = piece.a - piece.b;
      const who = Math.abs(saved) < 0.05 ? null : saved > 0 ? "b" : "a";
      return el("span", { class: `word-gain${who ? ` gain-${who}` : ""}` }, letters.slice(piece.start, piece.stop).join("").trim() || "␣",
        el("span", { class: "bits" }, who ? `${who.toUpperCase()} −${bits(Math.abs(saved))}` : "same"));
    })));
  box.hidden = false;
}

export function commonPieces(a, b) {
  const sums = (tokens) => {
    const after = new Map();
    let total = 0;
    tokens.forEach((token, i) => {
      total += token.bits;
      if (i + 1 === tokens.length || tokens[i + 1].start >= token.stop) after.set(token.stop, total); // not inside a character
    });
    return after;
  };
  const afterA = sums(a);
  const afterB = sums(b);
  const pieces = [];
  let last = { stop: 0, a: 0, b: 0 };
  for (const [stop, totalA] of afterA) {
    if (!afterB.has(stop)) continue;
    const totalB = afterB.get(stop);
    pieces.push({ start: last.stop, stop, a: totalA - last.a, b: totalB - last.b });
    last = { stop, a: totalA, b: totalB };
  }
  return pieces;
}
