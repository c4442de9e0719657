// The model's state and the person, asked from /status: often while the model loads, seldom afterwards, never while hidden.
// Pages hear about a change as the window's event "evidence:model" with the answer as its detail.

import { find, mount } from "../span_editor/js/dom.js";

const LOADING_MS = 1000;
const SETTLED_MS = 15000;
let last = "";
let timer = 0;

// Which model speaks, what kind it is, and which one is about to take over.
function ready(status) {
  const name = status.kind ? `Model ${status.version} (${status.kind}) in service` : `Model ${status.version} in service`;
  if (status.reason) return `${name} (${status.reason})`;
  return status.coming ? `${name} until ${status.wanted} is ready: ${status.coming}` : name;
}

function describe(status) {
  if (status.state === "ready") return ready(status);
  if (status.state === "loading") return "Model is loading; you can already read and mark";
  if (status.state === "none") return "No model in service";
  return status.reason || "The model could not be loaded";
}

// Admins are told when the snapshots fail: what is decided now would be lost with this machine.
function showSnapshot(snapshot) {
  const note = find(".app-snapshot");
  note.hidden = !snapshot || !(snapshot.failing || snapshot.late);
  if (note.hidden) return;
  const age = snapshot.age_seconds === null ? "There is no snapshot yet" : `The last snapshot is ${Math.round(snapshot.age_seconds / 60)} min old`;
  note.textContent = snapshot.failing ? `${age}, and a new one fails` : age;
  note.title = snapshot.failing || note.textContent;
}

function show(status) {
  showSnapshot(status.snapshot);
  find(".app-model").dataset.state = status.reason && status.state === "ready" ? "warning" : status.state;
  find(".app-model-text").textContent = describe(status);
  find(".app-model").title = describe(status);
  find(".app-person").textContent = status.role ? `${status.person} · ${status.role}` : status.person;
  find(".app-signout").elements.person.value = window.gradio_config?.username || status.person; // whose page this is
  find(".app-signout").hidden = find(".app-tokens").hidden = !status.accounts;
  find(".app-password").hidden = !status.password;
  const key = JSON.stringify([status.state, status.version]);
  if (key !== last) window.dispatchEvent(new CustomEvent("evidence:model", { detail: status }));
  last = key;
}

async function ask() {
  clearTimeout(timer);
  let wait = SETTLED_MS;
  try {
    const answer = await fetch("status", { cache: "no-store" });
    if (answer.status === 401 || answer.redirected) return window.location.reload();
    const status = await answer.json();
    show(status);
    if (status.state === "loading" || status.coming) wait = LOADING_MS;
  } catch {
    find(".app-model").dataset.state = "failed";
    find(".app-model-text").textContent = "No connection to the app. Trying again…";
    wait = 3000;
  }
  if (!document.hidden && find(".app-header").isConnected) timer = setTimeout(ask, wait);
}

// Gradio's notes are a button with another in it, which assistive technology cannot tell apart: the title is the one, the cross the other.
function mendNotes(notes) {
  for (const header of notes.querySelectorAll(".toast-header[role]")) {
    header.removeAttribute("role");
    header.removeAttribute("tabindex");
    Object.assign(header.querySelector(".toast-title-row"), { role: "button", tabIndex: 0 });
  }
}

export function start({ element }) {
  mount(element);
  const notes = document.querySelector(".toast-wrap");
  if (notes) new MutationObserver(() => mendNotes(notes)).observe(notes, { childList: true, subtree: true });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  ask();
}
