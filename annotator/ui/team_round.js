// One round: what it is, how far its people are, what needs a hand, and what can be changed in it.

import { button, make, plural } from "../span_editor/js/dom.js";
import { askOnce, tell } from "./asking.js";
import { sureButton } from "./sure.js";

const SUGGESTIONS = { shown: "the model's marks shown", hidden: "the model's marks hidden", random: "the model's marks in a random half" };
const EVENTS = {
  made: (d) => `made: ${plural(d.posts, "post")}, ${d.people.join(", ")}`,
  people: (d) => ["people changed", d.came.length && `in: ${d.came.join(", ")}`, d.left.length && `out: ${d.left.join(", ")}`, `${d.given} given, ${d.taken} taken`].filter(Boolean).join("; "),
  moved: (d) => `${plural(d.posts, "post")} moved from ${d.from} to ${d.to}`,
  taken: (d) => `${plural(d.posts, "post")} taken from ${d.from}`,
  given: (d) => `${plural(d.posts, "reader")} given to posts that lacked them`,
  deadline: (d) => (d.deadline ? `last day set to ${d.deadline}` : "last day taken away"),
  closed: () => "closed",
  reopened: () => "opened again",
};

function total(round, name) {
  return round.progress.reduce((sum, row) => sum + row[name], 0);
}

function bar(done, all, label) {
  const percent = all ? Math.round((100 * done) / all) : 0;
  return make("span", { class: "ev-progress", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": percent }, make("i", { style: { width: percent + "%" } }));
}

function kindLine(round) {
  return [round.kind.replace("_", " "), round.blind ? "blind" : "open", SUGGESTIONS[round.suggestions], round.deadline && `until ${round.deadline}`, round.late && "late", round.closed_at && `closed ${round.closed_at.slice(0, 10)}`].filter(Boolean).join(" · ");
}

export function roundCard(round, { page, opened, toggle, changed }) {
  const [done, all] = [total(round, "done"), total(round, "assigned")];
  const box = make("article", { class: "ev-card ev-round" + (round.closed_at ? " ev-retired" : ""), "data-round": round.id, "aria-label": `Round ${round.name}` },
    make("div", { class: "ev-row ev-round-head" }, make("h3", {}, round.name), make("span", { class: "ev-muted" }, kindLine(round)), make("span", { class: "ev-gap" }),
      bar(done, all, `${round.name}: done`), make("span", {}, `${done} of ${all} done`), button(opened ? "Less" : "More", () => toggle(round), { "aria-expanded": opened ? "true" : "false", "aria-label": `${opened ? "Less" : "More"} about ${round.name}` })));
  if (opened && round.events) box.append(details(round, page, changed));
  return box;
}

function details(round, page, changed) {
  return make("div", { class: "ev-round-body" },
    round.notes.map((note) => make("p", { class: "ev-said" }, note)),
    peopleTable(round),
    !round.closed_at && actions(round, page, changed),
    make("div", { class: "ev-row" }, closing(round, changed)),
    make("details", {}, make("summary", {}, "What was done"), make("ul", { class: "ev-history" }, round.events.map((e) => make("li", {}, `${e.at.slice(0, 16).replace("T", " ")} · ${e.by || "not known"} · ${(EVENTS[e.what] || (() => e.what))(e.detail)}`)))));
}

function peopleTable(round) {
  const heads = ["Person", "Given", "Done", "Begun", "Left", ""];
  const rows = round.progress.map((p) => make("tr", {}, make("td", { class: "ev-person" }, p.person + (round.people.includes(p.person) ? "" : " (has left)")), [p.assigned, p.done, p.begun, p.left].map((n) => make("td", {}, n)), make("td", {}, bar(p.done, p.assigned, `${p.person}: done`))));
  return make("div", { class: "ev-table ev-narrow", tabindex: 0, role: "region", "aria-label": `People of ${round.name}` }, make("table", {}, make("thead", {}, make("tr", {}, heads.map((h) => make("th", { scope: "col" }, h)))), make("tbody", {}, rows)));
}

function actions(round, page, changed) {
  return [peopleForm(round, page, changed), moveForm(round, changed), deadlineForm(round, changed), round.missing > 0 && make("div", { class: "ev-row" }, button(`Give out what is missing (${round.missing})`, () => send("team_fill", round, {}, changed, (r) => `${plural(r.result.given, "reader")} given.`)))];
}

async function send(name, round, message, changed, words) {
  const reply = await askOnce(name, { round: round.id, revision: round.revision, ...message });
  if (!reply) return;
  tell(words(reply));
  changed(reply.round);
}

function peopleForm(round, page, changed) {
  const names = [...new Set([...round.people, ...page.people.map((p) => p.name)])].sort();
  const form = make("form", { class: "ev-group-of", "aria-label": `Who reads in ${round.name}` }, make("b", {}, "Who reads"),
    names.map((name) => make("label", { class: "ev-check" }, make("input", { type: "checkbox", name: "people", value: name, checked: round.people.includes(name) }), name)),
    make("button", { type: "submit" }, "Change who reads"), make("small", {}, "Who leaves keeps what is begun; the rest goes to the others. Who comes takes from those with most left."));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send("team_people", round, { people: new FormData(form).getAll("people") }, changed, () => "The posts are given out anew.");
  });
  return form;
}

function moveForm(round, changed) {
  const options = (names) => names.map((name) => make("option", { value: name }, name));
  const form = make("form", { class: "ev-group-of", "aria-label": `Move posts of ${round.name}` }, make("b", {}, "Move"),
    make("input", { type: "number", name: "posts", min: 1, placeholder: "all", "aria-label": "How many posts" }), "posts from",
    make("select", { name: "from", "aria-label": "From" }, options(round.progress.map((p) => p.person))), "to",
    make("select", { name: "to", "aria-label": "To" }, make("option", { value: "" }, "nobody for now"), options(round.people)), make("button", { type: "submit" }, "Move"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(form);
    send("team_move", round, { from: data.get("from"), to: data.get("to"), posts: data.get("posts") ? Number(data.get("posts")) : null }, changed, movedWords);
  });
  return form;
}

function movedWords({ result }) {
  const kept = [result.begun && `${result.begun} begun`, result.open && `${result.open} open on the screen`, result.known && `${result.known} that the other has read`].filter(Boolean);
  return `${plural(result.moved, "post")} moved.` + (kept.length ? ` Left where they are: ${kept.join(", ")}.` : "");
}

function deadlineForm(round, changed) {
  const form = make("form", { class: "ev-group-of", "aria-label": `Last day of ${round.name}` }, make("b", {}, "Last day"), make("input", { type: "date", name: "deadline", value: round.deadline || "", "aria-label": "Last day" }), make("button", { type: "submit" }, "Set"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send("team_deadline", round, { deadline: form.elements.deadline.value }, changed, () => "The last day is set.");
  });
  return form;
}

// What shows people one another's answers asks once more.
function closing(round, changed) {
  if (round.closed_at) return button("Open again", () => send("team_close", round, { closed: false }, changed, () => "The round is open again."));
  const question = round.blind ? "Close it? Its readers then see one another's answers." : "Close it?";
  return sureButton("Close the round", () => question, () => send("team_close", round, { closed: true }, changed, () => "The round is closed."));
}
