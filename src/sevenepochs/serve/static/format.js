// How the page writes the numbers that it computes or draws itself; figures of runs arrive as text from the server.

export function percent(probability) {
  const value = 100 * probability;
  if (value >= 10) return `${value.toFixed(1)} %`;
  if (value >= 0.01 || value === 0) return `${value.toFixed(2)} %`;
  return "< 0.01 %";
}

export const bits = (value) => value.toFixed(1);
export const loss = (value) => value.toFixed(4);
export const whole = (value) => value.toLocaleString("en");
export const plural = (n, word) => `${whole(n)} ${word}${n === 1 ? "" : "s"}`;

// A token on its own: what cannot be seen gets a name.
export function tokenText(text) {
  if (text === "<eos>") return "⏎ end";
  if (text.trim() === "") return text.replaceAll(" ", "␣").replaceAll("\n", "⏎").replaceAll("\t", "⇥") || "∅";
  return text;
}
