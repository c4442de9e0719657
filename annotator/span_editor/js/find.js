// Search, and what the queue holds.

import { button, debounce, fill, make, plural } from "./dom.js";
import { ed } from "./state.js";
import { call } from "./outbox.js";
import { changeFilter, DEFAULT_FILTER, openPost } from "./queue.js";
import { closeDialog, openDialog } from "./dialog.js";

const FILTER_FIELDS = [
  ["order", "Order", [["random", "Random"], ["uncertain", "Least certain first"], ["evidence", "Most likely evidence first"], ["newest", "Newest first"], ["doubts", "Answers the model doubts"]]],
  ["state", "State", [["todo", "To review"], ["skipped", "Skipped"], ["reviewed", "Reviewed by me"], ["outdated", "Decided under an older wording"], ["any", "All posts"]]],
  ["criterion", "Criterion", null],
  ["verdict", "Verdict", [["", "Any"], ["evidence", "Evidence"], ["no_evidence", "No evidence"], ["unsure", "Unsure"]]],
  ["split", "Split", [["", "Any"], ["train", "train"], ["dev", "dev"], ["test", "test"]]],
  ["source", "Source", null],
  ["reviewer", "Reviewed by", null],
  ["assigned_to", "Assigned to", null],
];

export function filterChoices(name) {
  const named = FILTER_FIELDS.find((f) => f[0] === name)[2];
  if (named) return named;
  if (name === "criterion") return [["", "Any"], ...ed.choices.criteria.map((c) => [c.id, c.name])];
  if (name === "source") return [["", "Any"], ...ed.choices.sources.map((s) => [s, s])];
  const people = ed.choices.reviewers.map((r) => [r, r]);
  return name === "reviewer" ? [["", "Anybody"], ...people] : [["", "Anybody"], ["me", "Me"], ...people];
}

export function openQueue() {
  const form = make("form", { class: "ev-filter" },
    make("label", { class: "ev-wide" }, "Words in the text", make("input", { type: "text", inputmode: "search", name: "query", value: ed.filter.query || "", autocomplete: "off" })),
    FILTER_FIELDS.map(([name, label]) => make("label", {}, label, make("select", { name }, options(name, ed.filter[name] || "")))),
    ["min_score", "max_score"].map((name) => make("label", {}, name === "min_score" ? "Model's score from" : "Model's score to", make("input", { type: "number", name, min: 0, max: 1, step: 0.05, placeholder: name === "min_score" ? "0" : "1", title: "0 to 1: how sure the model is of its surest mark in the post", value: ed.filter[name] ?? "" }))),
    make("div", { class: "ev-row ev-wide" }, make("button", { type: "submit", class: "ev-primary" }, "Review these"), button("Clear", () => form.reset() || clearForm(form))),
  );
  const results = make("div", { class: "ev-results", "aria-live": "polite" });
  const look = debounce(150, () => showResults(form, results));
  form.addEventListener("input", look);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    closeDialog();
    changeFilter(readForm(form));
  });
  openDialog("Search and queue", form, results);
  form.querySelector("input").focus();
  showResults(form, results);
  takeChoices(form);
}

function options(name, chosen) {
  return filterChoices(name).map(([value, text]) => make("option", { value, selected: value === chosen }, text));
}

// Who and what can be chosen by now: people may have come, or be called otherwise, since the page was loaded.
async function takeChoices(form) {
  const reply = await call("review_choices", {});
  if (!reply || !reply.ok || JSON.stringify(reply.choices) === JSON.stringify(ed.choices)) return;
  ed.choices = reply.choices;
  for (const [name, , fixed] of FILTER_FIELDS) if (!fixed) fill(form.elements[name], options(name, form.elements[name].value));
  form.dispatchEvent(new Event("input"));
}

function clearForm(form) {
  for (const field of form.elements) if (field.name) field.value = DEFAULT_FILTER[field.name] || "";
  form.dispatchEvent(new Event("input"));
}

function readForm(form) {
  const filter = Object.fromEntries(Array.from(new FormData(form)).filter(([, value]) => value !== ""));
  for (const name of ["min_score", "max_score"]) if (filter[name]) filter[name] = Number(filter[name]);
  return filter;
}

async function showResults(form, results) {
  const turn = (results.turn = (results.turn || 0) + 1);
  const reply = await call("review_find", { filter: readForm(form), limit: 30 });
  if (results.turn !== turn) return;
  if (!reply || !reply.ok) return fill(results, make("p", {}, (reply && reply.error) || "The server cannot be reached now."));
  const open = (post) => () => {
    closeDialog();
    openPost(post.post_id);
  };
  if (!reply.total) return fill(results, make("p", { class: "ev-muted" }, "No post matches."));
  fill(results,
    make("p", { class: "ev-muted" }, (reply.at_least ? "at least " : "") + plural(reply.total, "post") + (reply.total > reply.posts.length ? ", the first " + reply.posts.length + ":" : ":")),
    make("ul", {}, reply.posts.map((post) => make("li", {}, button([make("b", {}, post.post_id), make("span", { dir: "auto" }, post.excerpt), make("small", {}, post.state + " · " + post.decided + "/" + post.criteria)], open(post))))));
}
