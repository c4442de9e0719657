// The lead's page: people, criteria, agreement in tables, a matrix of pairs, and agreement over time.

import { app } from "../span_editor/js/app.js";
import { button, fill, make, mount, part, plural, sleep } from "../span_editor/js/dom.js";
import { drawArms, drawCriteria, drawFigures, drawPairs, drawPeople, drawRounds, drawSaid, percent } from "./agreement_tables.js";
import { drawTime } from "./agreement_time.js";
import { ask, askQuietly, connect, tell } from "./asking.js";

const AGAIN_MILLISECONDS = 2000;
const RESTING_MILLISECONDS = 60000;
const page = { reply: null, turn: 0, drawn: "" };

function chosen() {
  return Object.fromEntries(new FormData(part("filter")));
}

function choice(label, name, options) {
  return make("label", {}, label, make("select", { name }, options.map(([value, text]) => make("option", { value }, text))));
}

function drawFilter() {
  const { rounds, versions } = page.reply;
  const key = JSON.stringify([rounds, versions]);
  if (page.drawn === key) return;
  const before = chosen();
  page.drawn = key;
  const form = part("filter");
  fill(form,
    choice("Posts", "round", [["", "All, in rounds or not"], ...rounds.map((r) => [r.id, r.name])]),
    choice("Beside people", "model", [["", "No model"], ...versions.map((v) => [v, `Model ${v}`])]),
    make("div", { class: "ev-row" }, button("All figures as CSV", saveTable), button("Methods report, HTML", () => saveMethods(true)), button("Methods report, Markdown", () => saveMethods(false))));
  for (const [name, value] of Object.entries(before)) form.elements[name].value = value;
}

// Figures over many answers are worked out beside the page: until they are there, the last ones are shown with their age.
async function load() {
  const turn = (page.turn += 1);
  let reply = await ask("agreement_report", chosen());
  while (reply && turn === page.turn) {
    const before = page.reply && identity(page.reply.report);
    page.reply = reply;
    drawFilter();
    drawAge();
    if (reply.report.people && identity(reply.report) !== before) draw();
    if (!reply.report.working && reply.report.current) return;
    await sleep(reply.report.working ? AGAIN_MILLISECONDS : RESTING_MILLISECONDS);
    if (!part("root").offsetParent || turn !== page.turn) return; // another page is shown: opened again, this one asks anew
    reply = await askQuietly("agreement_report", chosen());
  }
}

// Two reports can be made within one second: which posts and models they are of belongs to what they are.
function identity(report) {
  return JSON.stringify([report.made_at, report.round, report.models]);
}

function drawAge() {
  const { report } = page.reply;
  if (!report.made_at) return fill(part("age"), "The figures are being worked out for the first time. They appear here by themselves.");
  const state = report.current ? "" : report.working ? " Newer ones are being worked out." : " There are newer answers; their figures follow in a few minutes.";
  return fill(part("age"), `Worked out ${when(report.made_at)} from ${plural(report.answers, "answer")}.` + state);
}

function when(iso) {
  const seconds = Math.max(0, (Date.now() - new Date(iso)) / 1000);
  if (seconds < 90) return "just now";
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes ago`;
  return iso.replace("T", " ").replace("Z", " UTC");
}

function draw() {
  const { report, names } = page.reply;
  const { agreement } = report;
  fill(part("proposals"), proposals(agreement, names));
  if (!report.answers && !report.people.length) {
    return fill(part("report"), make("p", {}, "Nobody has been given a post and nobody has decided anything: there is nothing to count yet."));
  }
  return fill(part("report"),
    drawPeople(report.people),
    drawCriteria(report.criteria, showOlder),
    make("div", { class: "ag-older", "data-part": "older" }),
    drawArms(report.arms),
    agreement.criteria.length
      ? [drawFigures(agreement, names, showGamma), make("div", { "data-part": "gamma", role: "status" }), drawPairs(agreement, names, showMixedUp), make("div", { class: "ag-older", "data-part": "mixed" }), drawRounds(agreement), drawTime(agreement, names)]
      : make("p", {}, "No two people decided the same post and criterion: nothing can be said about agreement."),
    drawSaid(agreement.attributes));
}

function proposals(agreement, names) {
  return agreement.falls.filter((fall) => fall.falls).map((fall) => {
    const since = fall.since.slice(0, 10);
    const changed = agreement.wordings.filter((w) => (fall.name === "all" || w.criterion === fall.name) && w.at.slice(0, 10) <= since).pop();
    return make("div", { class: "ev-notice ev-warn" },
      `Calibrate again: equal verdicts on ${fall.name === "all" ? "all criteria" : names[fall.name] || fall.name} fell from ${percent(fall.before)} to ${percent(fall.after)} since ${since}` +
      `${changed ? ` (its wording changed on ${changed.at.slice(0, 10)})` : ""}. A calibration round, read by all and talked about, is the usual answer.`);
  });
}

async function showOlder(criterion, person) {
  const reply = await ask("agreement_older", { criterion, person });
  if (!reply) return;
  const box = part("older");
  fill(box,
    make("h4", { tabindex: -1 }, `To be read again: ${page.reply.names[criterion] || criterion}${person ? `, ${person}` : ""}`),
    make("p", { class: "ev-muted" }, "Each reader finds their own under Posts, State: Decided under an older wording."),
    make("ul", {}, reply.posts.map((one) => make("li", {}, make("a", { href: `?post=${encodeURIComponent(one.post)}` }, one.post), ` ${one.person}, wording ${one.version}`))));
  box.querySelector("h4").focus();
}

// "This passage: sleep for one, fatigue for the other", with ways to decide each.
async function showMixedUp(one, other) {
  const { round } = chosen();
  const reply = await ask("agreement_mixed_up", { one, other, round });
  if (!reply) return;
  const name = (id) => page.reply.names[id] || id;
  const asCsv = async () => {
    const file = await ask("agreement_mixed_up", { one, other, round, csv: true });
    if (file) save(file.name, file.csv, "text/csv");
  };
  const decide = (post, criterion) => make("a", { href: `?tab=adjudicate&case=${encodeURIComponent(post)}&of=${encodeURIComponent(criterion)}` }, name(criterion));
  const box = part("mixed");
  fill(box,
    make("h4", { tabindex: -1 }, `${name(one)} for one, ${name(other)} for the other`),
    make("ul", { class: "ag-mixed" }, reply.passages.map(({ post, marks }) => make("li", {},
      marks.map((mark) => make("p", {}, make("q", { dir: "auto" }, mark.words), ` ${name(mark.criterion)}, ${mark.person}`)),
      make("p", { class: "ev-muted" }, "Adjudicate ", decide(post, one), " or ", decide(post, other), " in ", make("a", { href: `?post=${encodeURIComponent(post)}` }, post))))),
    make("div", { class: "ev-row" }, button("These passages as CSV", asCsv)));
  box.querySelector("h4").focus();
}

async function showGamma(criterion) {
  const box = part("gamma");
  const turn = (page.gamma = (page.gamma || 0) + 1);
  fill(box, "Gamma is being worked out; this takes a second per hundred posts or so.");
  const reply = await ask("agreement_gamma", { ...chosen(), criterion });
  if (!box.isConnected || turn !== page.gamma) return null; // another choice is shown by now
  if (!reply) return fill(box);
  const value = reply.value === null ? `undefined (${reply.reason})` : reply.value.toFixed(3);
  return fill(box, `Gamma of ${page.reply.names[criterion] || criterion}: ${value}, over ${reply.texts} posts, seed ${reply.seed}.`);
}

async function saveTable() {
  const reply = await ask("agreement_csv", chosen());
  if (!reply) return;
  save(reply.name, reply.csv, "text/csv");
  tell("Saved.");
}

async function saveMethods(html) {
  tell("The methods report is being written.");
  const reply = await ask("agreement_methods", { html });
  if (!reply) return;
  save(reply.name, reply.text, html ? "text/html" : "text/markdown");
  tell("Saved.");
}

function save(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

export function start(host) {
  mount(host.element);
  connect(app);
  part("filter").addEventListener("change", load);
  part("filter").addEventListener("submit", (event) => event.preventDefault());
  part("root").addEventListener("focus", load); // the page was opened again: others have gone on
  load();
}
