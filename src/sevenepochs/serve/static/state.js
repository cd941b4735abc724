// What the page shows, kept in its address, so that a reload or a shared link shows the same.

const query = new URLSearchParams(location.search);

export const state = {
  runs: [], // overviews from /api/runs
  limits: {},
  text: query.get("text") ?? "",
  a: query.get("a"),
  b: query.get("b"),
  told: { a: told("told_a"), b: told("told_b") }, // facts beside the title, for runs that read them
};

function told(key) {
  return Object.fromEntries(new URLSearchParams(query.get(key) ?? ""));
}

export const runNamed = (name) => state.runs.find((run) => run.name === name);

// A run's short name: its recipe, and as much more as tells it from the others.
export function label(name) {
  const run = runNamed(name);
  if (!run?.recipe) return name;
  const same = state.runs.filter((other) => other.recipe === run.recipe);
  if (same.length === 1) return run.recipe;
  const seeds = new Set(same.map((other) => other.seed));
  const bySeed = `${run.recipe} · seed ${run.seed}`;
  if (seeds.size === same.length) return bySeed;
  return `${bySeed} · ${(run.created_utc ?? "").slice(0, 16).replace("T", " ")}`;
}

export function settle(runs, limits) {
  state.runs = runs;
  state.limits = limits;
  const ready = runs.filter((run) => run.state === "complete" && !run.error);
  if (!runNamed(state.a)) state.a = (ready[0] ?? runs[0])?.name ?? null;
  if (state.b !== "none" && !runNamed(state.b)) state.b = ready.find((run) => run.name !== state.a)?.name ?? "none";
}

const REMEMBER_MS = 1000; // browsers refuse an address that changes more than some 100 times in 10 to 30 seconds
let timer = 0;

// The address follows within a second.
export function remember() {
  timer ||= setTimeout(writeAddress, REMEMBER_MS);
}

function writeAddress() {
  timer = 0;
  const query = new URLSearchParams({ a: state.a ?? "", b: state.b ?? "none", text: state.text });
  for (const which of ["a", "b"]) {
    const told = new URLSearchParams(state.told[which]).toString();
    if (told) query.set(`told_${which}`, told);
  }
  try {
    history.replaceState(null, "", `?${query}${location.hash}`);
  } catch {
    // refused all the same: nothing that is shown depends on it, and the next change tries again
  }
}
