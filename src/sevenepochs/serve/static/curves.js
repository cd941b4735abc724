// Loss curves as SVG. Runs that were validated on other titles get charts of their own: their losses do not compare.
// Training loss is per token and validation loss per character, so they never share an axis.

import { get } from "./api.js";
import { el, message, svg } from "./dom.js";
import { loss } from "./format.js";
import { label, runNamed, state } from "./state.js";

const WIDTH = 540;
const HEIGHT = 330;
const MARGIN = { left: 46, right: 12, top: 12, bottom: 40 };
const DASHES = ["", "7 4", "2 3", "9 3 2 3"];
const COLOURS = 8;

const KINDS = [
  { key: "evaluations", value: "exact_val_loss", title: "Validation loss", unit: "nats per character, exact", dots: true },
  { key: "training", value: "train_loss_nats_per_token", title: "Training loss", unit: "nats per token, dropout on", dots: false },
];

export async function showCurves(body) {
  if (!body.children.length) body.append(el("p", { class: "quiet" }, "Reading …"));
  const found = await Promise.all(state.runs.map(async (run, i) => {
    try {
      return { ...(await get(`api/curves/${encodeURIComponent(run.name)}`)), colour: i % COLOURS, dash: DASHES[i % DASHES.length] };
    } catch (error) {
      return { name: run.name, error: error.message };
    }
  }));
  const groups = new Map();
  for (const run of found.filter((run) => !run.error)) {
    const titles = runNamed(run.name)?.validation_titles ?? run.name;
    groups.set(titles, [...(groups.get(titles) ?? []), run]);
  }
  body.replaceChildren(
    ...found.filter((run) => run.error).map((run) => message(run.error)),
    ...[...groups.values()].map((runs) => group(runs, groups.size > 1)));
}

function group(runs, several) {
  const corpus = runNamed(runs[0].name)?.corpus ?? "";
  return el("section", { class: "group", "aria-label": `Runs on ${corpus}` },
    several ? el("p", { class: "facts group-name" }, `On ${corpus}: losses compare within this group only.`) : null,
    el("div", { class: "charts" }, KINDS.map((kind) => chart(kind, runs))));
}

function chart(kind, runs) {
  const series = runs.map((run) => ({ ...run, points: run[kind.key].map((row) => ({ x: row.epoch, y: row[kind.value] })) })).filter((run) => run.points.length);
  const box = el("section", { class: "card chart" }, el("h2", {}, kind.title), el("p", { class: "facts" }, `${kind.unit}, by epoch`));
  if (!series.length) {
    box.append(el("p", { class: "quiet" }, "Nothing yet."));
    return box;
  }
  const all = series.flatMap((run) => run.points);
  const last = Math.max(...series.map((run) => run.epochs), Math.ceil(Math.max(...all.map((point) => point.x)) - 1e-6));
  const ys = ticks(Math.min(...all.map((point) => point.y)), Math.max(...all.map((point) => point.y)));
  const x = (value) => MARGIN.left + (value / last) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - ((value - ys[0]) / (ys.at(-1) - ys[0])) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const cursor = svg("line", { class: "cursor", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, visibility: "hidden" });
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", tabindex: 0, "aria-label": `${kind.title} of ${series.map((run) => label(run.name)).join(", ")}, ${kind.unit}. Arrow keys move along the epochs; the values are below.` },
    ys.map((value) => [svg("line", { class: "grid", x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(value), y2: y(value) }), svg("text", { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, tickText(value, ys))]),
    Array.from({ length: last + 1 }, (_, epoch) => svg("text", { x: x(epoch), y: HEIGHT - MARGIN.bottom + 20, "text-anchor": "middle" }, String(epoch))),
    svg("text", { x: (MARGIN.left + WIDTH - MARGIN.right) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, "epoch"),
    svg("line", { class: "axis", x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: HEIGHT - MARGIN.bottom, y2: HEIGHT - MARGIN.bottom }),
    series.map((run) => [
      svg("path", { class: `c${run.colour}`, "stroke-dasharray": run.dash, d: run.points.map((point, i) => `${i ? "L" : "M"}${x(point.x).toFixed(1)} ${y(point.y).toFixed(1)}`).join("") }),
      kind.dots ? run.points.map((point) => svg("circle", { class: `c${run.colour}`, cx: x(point.x), cy: y(point.y), r: 2.6 })) : [],
    ]),
    cursor);
  const values = series.map((run) => ({ run, output: el("span") }));
  const where = el("p", { class: "facts where" });
  const look = (epoch) => {
    const shown = Math.min(last, Math.max(0, epoch));
    cursor.setAttribute("x1", x(shown));
    cursor.setAttribute("x2", x(shown));
    where.textContent = `Nearest to epoch ${shown.toFixed(2)}`;
    for (const { run, output } of values) output.textContent = loss(nearest(run.points, shown).y);
    at = shown;
  };
  let at = last;
  const stops = [...new Set(series.flatMap((run) => run.points.map((point) => point.x)))].sort((p, q) => p - q);
  drawing.addEventListener("pointermove", (event) => {
    const bounds = drawing.getBoundingClientRect();
    cursor.setAttribute("visibility", "visible");
    look((((event.clientX - bounds.left) / bounds.width) * WIDTH - MARGIN.left) / (WIDTH - MARGIN.left - MARGIN.right) * last);
  });
  const rest = () => {
    cursor.setAttribute("visibility", "hidden");
    look(last);
    where.textContent = "Last value";
  };
  drawing.addEventListener("pointerleave", rest);
  drawing.addEventListener("blur", rest);
  drawing.addEventListener("keydown", (event) => {
    const next = event.key === "ArrowRight" ? stops.find((stop) => stop > at + 1e-9) : event.key === "ArrowLeft" ? stops.findLast((stop) => stop < at - 1e-9) : undefined;
    if (next === undefined) return;
    event.preventDefault();
    cursor.setAttribute("visibility", "visible");
    look(next);
  });
  box.append(drawing, where, el("ul", { class: "keys", "aria-live": "polite" }, values.map(({ run, output }) => el("li", {},
    svg("svg", { viewBox: "0 0 30 12", "aria-hidden": "true" }, svg("path", { class: `c${run.colour}`, d: "M0 6H30", "stroke-dasharray": run.dash })),
    el("span", { class: "name" }, label(run.name), run.state === "complete" ? "" : ` (${run.state})`), output))));
  rest();
  return box;
}

const nearest = (points, x) => points.reduce((best, point) => (Math.abs(point.x - x) < Math.abs(best.x - x) ? point : best));

// Round values from below the smallest to above the largest, about five of them.
export function ticks(low, high) {
  const span = Math.max(high - low, 1e-6);
  const power = 10 ** Math.floor(Math.log10(span / 5));
  const width = power * [1, 2, 5, 10].find((factor) => span / (factor * power) <= 6);
  const found = [];
  for (let i = Math.floor(low / width + 1e-9); i <= Math.ceil(high / width - 1e-9); i++) found.push(i * width);
  return found.length > 1 ? found : [low - width, low, low + width];
}

function tickText(value, all) {
  const width = all[1] - all[0];
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(width) + 1e-9)));
}
