// The app's answers: every question is one POST of JSON. `app.NAME(message)` is what Gradio's `server.NAME(message)` is, at a tenth of
// the server's work.

async function post(name, message) {
  const body = JSON.stringify(message || {});
  const reply = await fetch(new URL("ask/" + name, document.baseURI), { method: "POST", headers: { "content-type": "application/json" }, body });
  if (reply.status === 401) return { ok: false, error: "You are signed out. Sign in again in another tab; what you decided is kept here." };
  return reply.json();
}

export const app = new Proxy({}, { get: (_, name) => (message) => post(name, message) });
