// Starts the page: asks which runs there are, shows the view that the address names, and listens for keys that work
// everywhere.

import { get } from "./api.js";
import { showCurves } from "./curves.js";
import { showDetails } from "./details.js";
import { byId, message } from "./dom.js";
import { settle } from "./state.js";
import { showTitles } from "./titles.js";
import { setText, startTyping } from "./type.js";

const VIEWS = { type: null, curves: showCurves, titles: showTitles, details: showDetails };

function view() {
  const wanted = location.hash.slice(1);
  return Object.hasOwn(VIEWS, wanted) ? wanted : "type";
}

function route() {
  const shown = view();
  for (const name of Object.keys(VIEWS)) byId(`view-${name}`).hidden = name !== shown;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const body = document.querySelector(`#view-${shown} .body`);
  VIEWS[shown]?.(body, openTitle);
}

// A title of the list, in the typing view, on the run that it was listed for.
function openTitle(text, run) {
  location.hash = "type";
  route();
  setText(text, run);
  byId("headline").focus();
}

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const input = byId("headline");
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape" && view() === "type") input.focus();
  else if (event.key === "/" && !typing) {
    if (view() !== "type") location.hash = "type";
    input.focus();
    input.setSelectionRange(input.value.length, input.value.length);
  } else if (event.key.length === 1 && event.key !== " " && event.target.matches(".candidate, .token")) input.focus(); // the key lands there
  else return;
  if (event.key.length > 1 || event.key === "/") event.preventDefault();
}

async function start() {
  try {
    const { runs, limits } = await get("api/runs");
    settle(runs, limits);
  } catch (error) {
    document.querySelector("main").prepend(message(error.message));
    return;
  }
  startTyping();
  addEventListener("hashchange", route);
  addEventListener("keydown", onKey);
  route();
  if (view() === "type" && !matchMedia("(pointer: coarse)").matches) byId("headline").focus();
}

start();
