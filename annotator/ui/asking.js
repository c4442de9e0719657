// Asking the app's server functions, and saying what went wrong.

import { fill, part } from "../span_editor/js/dom.js";

const UNREACHED = "The server cannot be reached now. Try again in a moment.";
let server = null;

export function connect(functions) {
  server = functions;
}

export async function ask(name, message) {
  const reply = await answered(name, message);
  if (reply.ok) return (forget(), reply);
  complain(reply.error);
  return null;
}

const underway = new Set();

// For what changes something: pressed again before it is answered, it is asked once.
export async function askOnce(name, message) {
  const key = JSON.stringify([name, message]);
  if (underway.has(key)) return null;
  underway.add(key);
  try {
    return await ask(name, message);
  } finally {
    underway.delete(key);
  }
}

// Always a reply; the page says itself what went wrong.
export async function answered(name, message) {
  try {
    const reply = await server[name](message || {});
    return reply && reply.ok ? reply : { ok: false, error: (reply && reply.error) || UNREACHED };
  } catch (error) {
    return { ok: false, error: UNREACHED };
  }
}

// What went wrong is read more slowly than what went well, and is gone once it goes well.
function complain(text) {
  tell(text, 12_000);
  part("toast").dataset.trouble = "";
}

function forget() {
  const box = part("toast");
  if ("trouble" in box.dataset) box.hidden = true;
}

export function tell(text, milliseconds = 5000) {
  const box = part("toast");
  clearTimeout(box.timer);
  delete box.dataset.trouble;
  fill(box, text);
  box.hidden = false;
  box.timer = setTimeout(() => (box.hidden = true), milliseconds);
}

// For what is asked again and again: without an answer nothing is said.
export async function askQuietly(name, message) {
  const reply = await answered(name, message);
  return reply.ok ? reply : null;
}
