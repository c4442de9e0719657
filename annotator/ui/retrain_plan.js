// What a training would be made from.

import { find, make, plural } from "../span_editor/js/dom.js";
import { card } from "./card.js";
import { drawing, percent, row, table, when } from "./retrain_common.js";

function cards(value) {
  const list = make("dl", { class: "rt-cards" });
  const posts = value.posts;
  const held = posts.dev + posts.test;
  list.append(
    card("In service", value.active ? value.active.id : "none", value.active ? "since " + when(value.active.since) : "no model yet"),
    card("Newly reviewed", String(value.new_posts), value.ever_trained ? "posts since this model was trained" : value.active ? "posts; this model has learned from none of them" : "posts"),
    card("To train on", String(posts.train), posts.train === 1 ? "post" : "posts in the training split"),
    card("Held out", String(held), "not trained on: " + plural(posts.dev, "dev post") + " to choose the better model by (where the model knows none of the criteria, learned from after that), " + plural(posts.test, "test post") + " to say how good it is"),
  );
  return list;
}

function shareBar(row) {
  if (!row.evidence && !row.no_evidence) return make("span", { class: "rt-soft" }, "none yet");
  const box = make("div", { class: "rt-bar" });
  const words = row.evidence + " evidence, " + row.no_evidence + " no evidence";
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", words);
  box.title = words;
  for (const [name, count] of [["evidence", row.evidence], ["none", row.no_evidence]]) {
    if (!count) continue;
    const piece = make("i", { class: name }, count / (row.evidence + row.no_evidence) > 0.12 ? String(count) : "");
    piece.style.flexGrow = count;
    box.append(piece);
  }
  return box;
}

function view(value) {
  const rows = value.criteria.map((c) =>
    row(c.name, [[String(c.new), "num"], [shareBar(c), "wide"], [String(c.rejected), "num"], [c.compared ? percent(c.agreement) + " of " + c.compared : "–", "num"]]));
  const parts = [cards(value)];
  if (value.obstacle) parts.push(make("p", { class: "rt-note warn" }, value.obstacle));
  const details = make("details", { class: "rt-details" });
  details.open = find("details") ? find("details").open : true;
  details.append(make("summary", {}, "Answers by criterion: " + value.answers + ", those of held-out posts too"));
  details.append(table(
    [["Criterion", ""], ["New", "num"], ["Answers", ""], ["Rejected passages", "num"], ["Model’s marks left as they were", "num"]],
    rows, "Answers per criterion"));
  const legend = make("p", { class: "rt-legend" });
  for (const [name, text] of [["evidence", "evidence"], ["none", "no evidence"]]) {
    const item = make("span");
    item.append(make("i", { class: name }), text);
    legend.append(item);
  }
  details.append(legend);
  const facts = make("ul", { class: "rt-facts" });
  facts.append(make("li", {}, "“Left as they were” counts new answers that somebody gave one by one with the model’s marks in view; what was confirmed together does not count."));
  facts.append(make("li", {}, "Older posts that are trained on again: " + value.replay + "."));
  for (const out of value.left_out) facts.append(make("li", {}, "Left out: " + out.answers + (out.answers === 1 ? " answer, " : " answers, ") + "because " + out.reason + "."));
  for (const warning of value.warnings) facts.append(make("li", { class: "warn" }, warning));
  if (value.offer) facts.append(make("li", {}, value.offer));
  details.append(facts);
  parts.push(details);
  return parts;
}

export const start = drawing(view);
