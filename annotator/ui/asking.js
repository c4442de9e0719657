// Asking the app's server functions, and saying what went wrong.

import { fill, part } from "../span_editor/js/dom.js";

let server = null;

export function connect(functions) {
  server = functions;
}

export async function ask(name, message) {
  try {
    const reply = await server[name](message || {});
    if (reply && reply.ok) return reply;
    tell((reply && reply.error) || "The server cannot be reached now.");
  } catch (error) {
    tell("The server cannot be reached now.");
  }
  return null;
}

export function tell(text) {
  const box = part("toast");
  clearTimeout(box.timer);
  fill(box, text);
  box.hidden = false;
  box.timer = setTimeout(() => (box.hidden = true), 5000);
}

// For what is asked again and again: without an answer nothing is said.
export async function askQuietly(name, message) {
  try {
    const reply = await server[name](message || {});
    return reply && reply.ok ? reply : null;
  } catch (error) {
    return null;
  }
}
