// One run on the typed title: its tokens by surprisal, and the likeliest tokens at the place that is looked at.
//
// A place is where a token stands; the last one is after all of them ("next"). A pointer looks at a place while it is
// over a token; a click, focus or an arrow key stays there. Both columns look at the same character.

import { predict } from "./api.js";
import { chars, el } from "./dom.js";
import { bits, percent, plural, tokenText, whole } from "./format.js";
import { label, runNamed, state } from "./state.js";

export const EDGES = [1, 2, 4, 7, 10, 13]; // bits; the steps of the colour scale
export const step = (value) => EDGES.filter((edge) => value >= edge).length;

// Where a token stands by itself, the space before it says nothing.
const trimmed = (text) => tokenText(text).trim() || tokenText(text);

const SHOWN = 10;
const remembered = new Map(); // answers by run and text, so that going back asks nobody
const MAX_REMEMBERED = 300;

export class Column {
  // `hooks`: take(text) continues the title; look(column, place) tells the other column; answered() after each answer.
  constructor(which, hooks) {
    this.which = which;
    this.hooks = hooks;
    this.answer = null;
    this.place = 0;
    this.picker = el("select", { "aria-label": `Run ${which.toUpperCase()}`, onchange: () => hooks.pick(which, this.picker.value) });
    this.facts = el("p", { class: "facts" });
    this.fields = el("div", { class: "told", hidden: true });
    this.problem = el("p", { class: "message", role: "alert", hidden: true });
    this.strip = el("div", { class: "strip", role: "group", "aria-label": `Tokens of run ${which.toUpperCase()}` });
    this.sum = el("p", { class: "facts sum" });
    this.heading = el("h2");
    this.list = el("ol", { class: "candidates" });
    this.head = el("div", { class: "head" }, el("span", { class: `letter ${which}`, "aria-hidden": "true" }, which.toUpperCase()), this.picker, this.facts, this.fields);
    this.root = el("section", { class: `card column ${which}`, "aria-label": `What run ${which.toUpperCase()} expects` },
      this.head,
      this.problem,
      el("div", {}, this.strip, this.sum),
      el("div", { class: "place" }, this.heading, this.list));
    this.strip.addEventListener("keydown", (event) => this.onStripKey(event));
    this.strip.addEventListener("pointerleave", () => this.show(this.place));
    this.list.addEventListener("keydown", (event) => this.onListKey(event));
  }

  get run() {
    return state[this.which];
  }

  drawPicker() {
    const none = this.which === "b" ? [el("option", { value: "none" }, "compare with …")] : [];
    this.picker.replaceChildren(...none, ...state.runs.map((run) => el("option", { value: run.name }, label(run.name) + (run.error ? " (damaged)" : run.state === "complete" ? "" : ` (${run.state})`))));
    this.picker.value = this.run;
    const run = runNamed(this.run);
    this.facts.textContent = run ? [`loss ${run.exact_val_loss_text}`, `${run.parameters_text} parameters`, run.tokenizer, run.corpus].filter((part) => part && !part.includes("undefined")).join(" · ") : "";
    this.drawFields(run?.facts ?? []);
  }

  // A field for each fact that this run reads beside a title; an empty one tells nothing.
  drawFields(facts) {
    this.fields.hidden = !facts.length;
    this.fields.replaceChildren(...facts.map(({ name, known }) => {
      const id = `told-${this.which}-${name}`;
      return el("div", {}, el("label", { for: id }, `Told: ${name}`),
        el("input", { id, type: "text", list: `${id}-known`, autocomplete: "off", spellcheck: "false", value: state.told[this.which][name] ?? "", placeholder: "nothing",
          oninput: (event) => {
            state.told[this.which] = { ...state.told[this.which], [name]: event.target.value };
            this.hooks.told();
          } }),
        el("datalist", { id: `${id}-known` }, known.map((value) => el("option", { value }))));
    }));
  }

  told() {
    const read = (runNamed(this.run)?.facts ?? []).map((fact) => [fact.name, (state.told[this.which][fact.name] ?? "").trim()]);
    return Object.fromEntries(read.filter(([, value]) => value));
  }

  async ask(text) {
    this.abort?.abort();
    if (!this.run || this.run === "none") return;
    const facts = this.told();
    const told = JSON.stringify(facts);
    const key = `${this.run}\n${told}\n${text}`;
    const known = remembered.get(key);
    if (known) return this.take(known);
    const abort = (this.abort = new AbortController());
    const slow = setTimeout(() => this.root.classList.add("busy"), 150);
    this.waits(true);
    try {
      const answer = await predict(this.which, this.run, text, facts, abort.signal);
      if (answer === null) return;
      answer.told = told;
      remembered.set(key, answer);
      if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value);
      if (abort === this.abort) this.take(answer);
    } catch (error) {
      if (error.name !== "AbortError" && abort === this.abort) this.fail(error.message);
    } finally {
      clearTimeout(slow);
      if (abort === this.abort) {
        this.root.classList.remove("busy");
        this.waits(false);
      }
    }
  }

  // Whether an answer is on its way.
  waits(yes) {
    if (yes) this.root.setAttribute("aria-busy", "true");
    else this.root.removeAttribute("aria-busy");
  }

  take(answer) {
    this.problem.hidden = true;
    this.root.classList.remove("busy");
    this.answer = answer;
    this.place = answer.tokens.length;
    this.drawStrip();
    this.hooks.answered();
  }

  fail(text) {
    for (const key of [...remembered.keys()]) if (key.startsWith(`${this.run}\n`)) remembered.delete(key);
    this.answer = null;
    this.problem.textContent = text;
    this.problem.hidden = false;
    this.strip.replaceChildren();
    this.list.replaceChildren();
    this.sum.textContent = this.heading.textContent = "";
    this.hooks.answered();
  }

  drawStrip() {
    const { tokens, bits: total, n_chars: n } = this.answer;
    const chips = tokens.map((token, i) =>
      el("button", {
        type: "button", class: `token s${step(token.bits)}${i && !/^\s|^<eos>/.test(token.text) ? " joined" : ""}`, tabindex: -1, "aria-pressed": "false",
        "aria-label": `${trimmed(token.text)}, ${bits(token.bits)} bits, rank ${whole(token.rank)}`,
        onpointerenter: () => this.show(i), onfocus: () => this.pin(i), onclick: () => this.pin(i),
      }, trimmed(token.text), el("span", { class: "bits" }, bits(token.bits))));
    chips.push(el("button", {
      type: "button", class: "token next", tabindex: -1, "aria-pressed": "false",
      onpointerenter: () => this.show(tokens.length), onfocus: () => this.pin(tokens.length), onclick: () => this.pin(tokens.length),
    }, "next"));
    const hadFocus = this.strip.contains(document.activeElement);
    this.strip.replaceChildren(...chips);
    if (hadFocus) this.focusStrip(); // whoever was already here stays here
    this.sum.textContent = n ? `${bits(total)} bits in ${plural(tokens.length, "token")} · ${(total / n).toFixed(2)} bits a character` : "The start of a title";
    this.pin(this.place, false);
  }

  // Stay at a place; the other column follows.
  pin(place, tell = true) {
    this.place = place;
    this.show(place, tell);
  }

  show(place, tell = true) {
    if (!this.answer) return;
    [...this.strip.children].forEach((chip, i) => {
      chip.setAttribute("aria-pressed", String(i === place));
      chip.tabIndex = i === this.place ? 0 : -1;
    });
    this.shown = place;
    this.drawPlace(place);
    if (tell) this.hooks.look(this, place);
  }

  // Look where the other column looks: at the token that holds this character.
  follow(start) {
    if (!this.answer) return;
    const { tokens } = this.answer;
    const found = start === null ? tokens.length : tokens.findIndex((token) => token.start <= start && start < token.stop);
    this.place = found < 0 ? tokens.length : found;
    this.show(this.place, false);
  }

  startOf(place) {
    return place < this.answer.tokens.length ? this.answer.tokens[place].start : null;
  }

  drawPlace(place) {
    const { tokens, places } = this.answer;
    const typed = tokens[place];
    const { top, rest } = places[place];
    const before = tokens[place - 1];
    this.heading.replaceChildren(...(typed
      ? ["Instead of ", el("b", {}, trimmed(typed.text))]
      : before ? ["After ", el("b", {}, trimmed(before.text))] : ["First token of a title"]));
    const inside = this.cutsCharacter(place);
    const typedAt = typed ? typed.rank - 1 : -1;
    const rows = top.map((candidate, i) => el("li", {}, el("button", {
      type: "button", class: `candidate${i === typedAt ? " typed" : ""}`, tabindex: i ? -1 : 0,
      "aria-disabled": inside || !candidate.whole ? "true" : null,
      "data-probability": candidate.probability,
      onclick: () => this.choose(place, candidate),
    }, this.word(candidate), el("span", { class: "bar", "aria-hidden": "true" }, el("i", { width: `${100 * candidate.probability}%` })),
    el("span", { class: "share" }, percent(candidate.probability)))));
    rows.push(el("li", {}, el("div", { class: "candidate rest", "data-probability": rest },
      el("span", { class: "word named" }, "all others"), el("span", { class: "bar", "aria-hidden": "true" }, el("i", { width: `${100 * rest}%` })),
      el("span", { class: "share" }, percent(rest)))));
    rows.push(el("li", { class: "typed-line" }, typed && typed.rank > SHOWN ? `Typed: ${trimmed(typed.text)}, ${percent(typed.probability)}, rank ${whole(typed.rank)}` : ""));
    const focused = this.list.contains(document.activeElement) ? this.focusedRow() : -1;
    this.list.replaceChildren(...rows);
    if (focused >= 0) this.focusRow(focused);
  }

  cutsCharacter(place) {
    const { tokens } = this.answer;
    return place > 0 && place < tokens.length && tokens[place].start < tokens[place - 1].stop;
  }

  word(candidate) {
    if (candidate.end) return el("span", { class: "word named" }, "⏎ end of title");
    if (!candidate.whole) return el("span", { class: "word named" }, candidate.text, " part of a character");
    return el("span", { class: "word" }, tokenText(candidate.text));
  }

  // The title up to the place, then the candidate; what stood there is dropped. Characters cannot be cut in two.
  choose(place, candidate) {
    const { tokens, text } = this.answer;
    if (!candidate.whole || this.cutsCharacter(place)) return;
    const kept = place < tokens.length ? chars(text).slice(0, tokens[place].start).join("") : text.trimEnd();
    const begins = kept === "" || kept.endsWith("<eos>");
    this.hooks.take(kept + (begins ? candidate.text.trimStart() : candidate.text), this);
  }

  onStripKey(event) {
    const last = this.strip.children.length - 1;
    const to = { ArrowLeft: this.place - 1, ArrowRight: this.place + 1, Home: 0, End: last }[event.key];
    if (to !== undefined && to >= 0 && to <= last) this.strip.children[to].focus();
    else if (event.key === "ArrowDown") this.focusRow(0);
    else if (event.key === "ArrowUp") this.hooks.back();
    else return;
    event.preventDefault();
  }

  onListKey(event) {
    const row = this.focusedRow();
    const moves = { ArrowDown: row + 1, ArrowUp: row - 1, Home: 0, End: SHOWN - 1 };
    if (event.key === "ArrowUp" && row <= 0) this.strip.children[this.place]?.focus();
    else if (event.key in moves) this.focusRow(moves[event.key]);
    else if (event.key === "ArrowLeft" && this.place > 0) this.pin(this.place - 1);
    else if (event.key === "ArrowRight" && this.place < this.answer.tokens.length) this.pin(this.place + 1);
    else return;
    event.preventDefault();
  }

  focusedRow() {
    return [...this.list.querySelectorAll("button")].indexOf(document.activeElement);
  }

  focusRow(row) {
    this.list.querySelectorAll("button")[row]?.focus();
  }

  focusStrip() {
    this.strip.children[this.place]?.focus();
  }
}
