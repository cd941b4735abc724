// Requests to this server; a refusal becomes an Error with the server's own line.

export class Refused extends Error {
  constructor(text, status) {
    super(text);
    this.status = status;
  }
}

async function checked(promise) {
  let response;
  try {
    response = await promise;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer. Was it stopped? Start it again with: sevenepochs serve", 0);
  }
  if (response.ok) return response;
  let text = `the server answered with status ${response.status}`;
  try {
    text = (await response.json()).error ?? text;
  } catch {
    // not JSON: a server that is overloaded answers in plain text
  }
  throw new Refused(text, response.status);
}

export const get = async (path) => (await checked(fetch(path))).json();

const post = (path, body, signal) =>
  checked(fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal }));

const client = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("");

// null: a newer keystroke in the same column came first; the columns do not supersede each other.
export async function predict(column, run, text, facts, signal) {
  const response = await post("api/predict", { run, text, facts, client: `${client} ${column}` }, signal);
  return response.status === 204 ? null : response.json();
}

// Calls `onLine` with each JSON line as it arrives.
export async function sample(request, signal, onLine) {
  const reader = (await post("api/sample", request, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) onLine(JSON.parse(line));
  }
}
