// The People page: who there is, and the links with which people set their password. A link is shown once.

import { app } from "../span_editor/js/app.js";
import { button, fill, make, mount, part, plural } from "../span_editor/js/dom.js";
import { ask, askOnce, connect, tell } from "./asking.js";

const ROLES = ["reviewer", "adjudicator", "admin"];
const ROLE_WORDS = "Reviewers read and mark. Adjudicators also decide where people differ, and see Agreement, Team, Data and Retrain. Admins may do everything.";
let me = "";
let turns = 0; // how often the list was shown

function roles(name, chosen, props) {
  return make("select", { name, ...props }, ROLES.map((role) => make("option", { value: role, selected: role === chosen }, role)));
}

function drawInvite(days) {
  const form = part("invite");
  if (form.childElementCount) return;
  fill(form, make("b", {}, "Invite"), make("label", {}, "Name ", make("input", { name: "name", maxlength: 80, required: true, autocomplete: "off" })),
    make("label", {}, "Role ", roles("role", "reviewer")), make("label", {}, "Days that the link lasts ", make("input", { type: "number", name: "days", min: 1, max: 30, value: days, required: true })),
    make("button", { type: "submit", class: "ev-primary" }, "Make a link"), make("small", { class: "ev-wide" }, ROLE_WORDS));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { elements } = form;
    act("people_invite", { name: elements.name.value, role: elements.role.value, days: Number(elements.days.value) }, () => ((elements.name.value = ""), "The link is made."));
  });
}

async function act(name, message, words) {
  const reply = await askOnce(name, message);
  if (!reply) return;
  const said = words(reply);
  if (!reply.link) tell(said); // a link speaks for itself, and nothing may lie over it
  show(reply);
}

function show(reply) {
  turns += 1;
  me = reply.me;
  drawInvite(reply.days);
  if (reply.link) drawLink(reply);
  else if (!isOpen(reply, part("link").dataset.for)) closeLink(); // used or withdrawn: nobody is to be sent it any more
  fill(part("count"), plural(reply.people.length, "person").replace("persons", "people") + (reply.waiting.length ? `, ${reply.waiting.length} invited` : ""));
  const heads = ["Name", "Role", "Account", "Sessions", "", ""];
  fill(part("people"), make("table", {}, make("thead", {}, make("tr", {}, heads.map((h) => make("th", { scope: "col" }, h)))), make("tbody", {}, reply.people.map(row), reply.waiting.map(waitingRow))));
}

function isOpen({ people, waiting }, name) {
  return [...people.filter((p) => p.link), ...waiting].some((p) => p.name === name);
}

function closeLink() {
  part("link").hidden = true;
  fill(part("link"));
}

function drawLink({ link, for: name, until }) {
  const address = new URL(link, document.baseURI).href;
  const field = make("input", { readonly: true, value: address, "aria-label": `Link for ${name}`, class: "ev-link", onfocus: (event) => event.target.select() });
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(address);
      tell("Copied.");
    } catch (error) {
      field.focus(); // no clipboard without HTTPS: then by hand
    }
  });
  fill(part("link"), make("p", {}, `Send this link to ${name}, by a way that only ${name} reads. It is shown this once, works once, and until ${until.slice(0, 10)}.`), make("div", { class: "ev-row" }, field, copy, button("Done", closeLink)));
  part("link").dataset.for = name;
  part("link").hidden = false;
  field.focus();
}

function signsIn(person) {
  if (person.disabled) return "disabled";
  const how = { here: "has a password", elsewhere: "signs in elsewhere", "": "no account yet" }[person.signs_in];
  return how + (person.link ? ` · link until ${person.link.slice(0, 10)}` : "");
}

function row(person) {
  const { name } = person;
  const role = roles("role", person.role, { "aria-label": `Role of ${name}`, disabled: person.signs_in === "elsewhere" });
  role.addEventListener("change", async () => {
    const reply = await ask("people_role", { name, role: role.value });
    if (!reply) return (role.value = person.role);
    tell(`${name} is ${role.value} now.`);
    return show(reply);
  });
  const link = person.signs_in === "here" ? button("New password by link", () => act("people_reset", { name }, () => "The link is made."), { "aria-label": `New password by link for ${name}` })
    : person.signs_in === "" && !person.link && button("Invite", () => act("people_invite", { name, role: person.role, days: 7 }, () => "The link is made."), { "aria-label": `Invite ${name}` });
  const withdraw = person.link && button("Withdraw the link", () => act("people_withdraw", { name }, () => "The link works no longer."), { "aria-label": `Withdraw the link for ${name}` });
  const enable = person.disabled ? button("Enable", () => act("people_enable", { name, enabled: true }, () => `${name} can sign in again.`), { "aria-label": `Enable ${name}` })
    : name !== me && button("Disable", () => act("people_enable", { name, enabled: false }, () => `${name} is disabled; the answers stay.`), { "aria-label": `Disable ${name}` });
  const end = person.sessions > 0 && button("End sessions", () => act("people_end_sessions", { name }, (r) => `${plural(r.ended, "session")} ended.`), { "aria-label": `End the sessions of ${name}` });
  return make("tr", { "data-person": name }, make("td", { class: "ev-person" }, name + (name === me ? " (you)" : "")), make("td", {}, role), make("td", {}, signsIn(person)),
    make("td", {}, person.sessions ? `${plural(person.sessions, "session")}, last ${person.seen.slice(0, 16).replace("T", " ")}` : "no session"),
    make("td", {}, make("div", { class: "ev-row" }, !person.disabled && link, withdraw)), make("td", {}, make("div", { class: "ev-row" }, end, enable)));
}

function waitingRow(invited) {
  return make("tr", { "data-person": invited.name }, make("td", { class: "ev-person" }, invited.name), make("td", {}, invited.role), make("td", {}, `invited until ${invited.until.slice(0, 10)}`), make("td", {}, "no session"),
    make("td", {}, button("Withdraw the link", () => act("people_withdraw", { name: invited.name }, () => "The link works no longer."), { "aria-label": `Withdraw the link for ${invited.name}` })), make("td", {}));
}

async function load() {
  const shown = turns;
  const reply = await ask("people_list");
  if (reply && shown === turns) show(reply); // else something newer was shown meanwhile
}

export function start(host) {
  mount(host.element);
  connect(app);
  new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && load()).observe(part("root"));
}
