// Starting up: who is here, where they were, and the wiring of the page.

import { app } from "./app.js";
import { debounce, mount, oncePerClick, part, sleep, write } from "./dom.js";
import { memory } from "./memory.js";
import { activeCriterion, answerable, ed } from "./state.js";
import { saveSettings, setUsualReading, settings } from "./settings.js";
import { register } from "./actions.js";
import { say, toast } from "./messages.js";
import { call, connect, outbox, startOutbox } from "./outbox.js";
import { drawWindow, scheduleMap, startMap } from "./map.js";
import { clearSelection, selectedSpan } from "./places.js";
import { drawActions, drawBar, drawSaved } from "./bar.js";
import { drawDetail, goldText, refresh, startStrip } from "./panels.js";
import { takeExamples } from "./passages.js";
import { pickMark, stepMark } from "./walk.js";
import { askNewModel, assignToMe, goNext, goPrevious, nothingLeft, openPost, receiveItem, show, skipPost } from "./queue.js";
import { undo } from "./undo.js";
import {
  addPending, addSpan, adjustMark, confirmCriterion, confirmRest, decideMark, decideNone, decideUnsure, dropPending, saveNote, tighten,
} from "./decisions.js";
import { hearSaid, startLabels, startSaying } from "./attributes.js";
import { leaveMode, startCaret, startEdges } from "./caret.js";
import { startFields } from "./fields.js";
import { startHandles } from "./handles.js";
import { startMouse } from "./pointer.js";
import { serve } from "./surface.js";
import { closeDialog, focusRoot, isStray } from "./dialog.js";
import {
  applyLook, changeSize, cycleSnap, focusNote, toggleCompact, toggleFrame, toggleGuideline, toggleReading, toggleShown,
} from "./toggles.js";
import { notice, showNotice, startBreaks } from "./care.js";
import { offerGuide } from "./guide.js";
import { openHelp, stopListening } from "./help.js";
import { openDiscussion } from "./discuss.js";
import { openHistory } from "./history.js";
import { openAuthor } from "./author.js";
import { filterChoices, openQueue } from "./find.js";
import { drawConflicts } from "./conflicts.js";
import { offerSameWords } from "./same.js";
import { chooseCriterion, onKeyDown, onShift, prepareFor, stepCriterion } from "./keys.js";

function wire() {
  register(PERFORM, prepareFor);
  serve({ refresh, addSpan, adjustMark, pick: pickMark, modeChanged: drawBar, drawn: scheduleMap });
  drawActions();
  hearLists();
  hearSaid();
  startFields();
  part("snap").addEventListener("click", () => cycleSnap());
  part("guideline").addEventListener("toggle", () => ((settings.guideline = part("guideline").open), saveSettings()));
  part("note").addEventListener("change", (event) => saveNote(event.target.value));
  part("dialog-close").addEventListener("click", closeDialog);
  part("dialog").addEventListener("close", () => {
    stopListening();
    focusRoot();
  });
  part("dialog").addEventListener("pointerdown", (event) => event.target === part("dialog") && !isStray(event) && closeDialog()); // beside it
  part("add-selection").addEventListener("click", () => {
    const span = selectedSpan();
    if (span) addSpan(span[0], span[1], settings.snap);
    clearSelection();
  });
  document.addEventListener("keydown", onKeyDown);
  for (const name of ["keydown", "keyup"]) document.addEventListener(name, onShift);
  window.addEventListener("blur", onShift);
  window.addEventListener("evidence:model", (event) => askNewModel(event.detail));
  window.addEventListener("evidence:open-post", (event) => openPost(event.detail.post_id, { fresh: true }));
  startStrip();
  new ResizeObserver(debounce(50, fitHeight)).observe(document.body); // what stands above may come late, or be folded
  window.addEventListener("pagehide", () => ed.mode === "edges" && leaveMode());
  startHandles();
  startMouse();
  startMap();
}

// The text scrolls in its own pane that ends where the window ends, wherever the page puts the editor.
function fitHeight() {
  const main = part("root").querySelector(".ev-main").getBoundingClientRect(); // a notice may stand between the bar and it
  const top = (main.height ? main.top : part("bar").getBoundingClientRect().bottom) + window.scrollY;
  part("root").style.setProperty("--ev-top", Math.round(Math.min(Math.max(0, top), 300)) + "px");
  drawWindow();
}

function onSaved(entry, result) {
  const item = ed.items.get(entry.message.post_id);
  const criterion = item && answerable(item, entry.message.criterion_id);
  if (!criterion) return;
  criterion.revision = result.revision;
  criterion.doubts = []; // they were about the answer before
  criterion.others = result.others;
  const gold = result.others.find((other) => other.gold);
  if (gold && item === ed.item) say(criterion.name + ": gold says " + goldText(gold)); // in a training round, at once
  criterion.decidedOn = entry.message.criterion_version;
  if (item === ed.item && criterion === activeCriterion()) drawDetail();
  if (item === ed.item) offerSameWords(criterion, result.same);
}

const PERFORM = {
  confirm: confirmCriterion,
  confirm_rest: confirmRest,
  accept: () => decideMark("accept"),
  reject: () => decideMark("reject"),
  reopen: () => decideMark("reopen"),
  none: decideNone,
  unsure: decideUnsure,
  next_span: () => stepMark(1),
  previous_span: () => stepMark(-1),
  next_criterion: () => stepCriterion(1),
  previous_criterion: () => stepCriterion(-1),
  next_post: goNext,
  previous_post: goPrevious,
  skip: skipPost,
  assign: assignToMe,
  reading: toggleReading,
  bigger: () => changeSize(1),
  smaller: () => changeSize(-1),
  compact: toggleCompact,
  frame: toggleFrame,
  caret: startCaret,
  edges: startEdges,
  said: startSaying,
  labels: startLabels,
  tighten,
  snap: cycleSnap,
  undo: () => undo(),
  redo: () => undo(true),
  note: focusNote,
  others: () => toggleShown("others"),
  blur: () => toggleShown("blur"),
  guideline: toggleGuideline,
  history: openHistory,
  discuss: openDiscussion,
  author: openAuthor,
  search: openQueue,
  help: () => openHelp(),
};

// The lists draw themselves anew all the time: their clicks are heard here, once.
function hearLists() {
  part("criteria").addEventListener("click", (event) => {
    const row = event.target.closest(".ev-criterion");
    if (row) chooseCriterion(Array.prototype.indexOf.call(part("criteria").children, row.parentNode));
  });
  part("chooser").addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-choose]");
    if (!pressed || !ed.pending) return undefined;
    leaveMode();
    return pressed.dataset.choose === "" ? dropPending() : addPending(ed.item.criteria[Number(pressed.dataset.choose)]);
  });
  part("marks").addEventListener("click", oncePerClick((event) => {
    const pressed = event.target.closest("[data-verb]");
    if (!pressed) return undefined;
    leaveMode();
    ed.mark = Number(pressed.closest("[data-mark]").dataset.mark);
    if (pressed.dataset.verb !== "choose") return decideMark(pressed.dataset.verb);
    ed.moved = true;
    return refresh();
  }));
}

export async function start(host) {
  mount(host.element);
  connect(app);
  wire();
  fitHeight();
  ed.filter = memory.read("filter", {}); // maybe another person's, or from when people were called otherwise
  if (!filterChoices("order").some(([order]) => order === ed.filter.order)) delete ed.filter.order; // one of an earlier release
  Object.assign(ed.shown, memory.read("shown", {}));
  part("root").classList.toggle("ev-blurred", ed.shown.blur);
  const wanted = new URLSearchParams(window.location.search).get("post");
  const reply = await firstReply({ post_id: wanted, filter: ed.filter });
  ed.me = reply.me;
  ed.project = reply.project;
  ed.filter = reply.filter;
  ed.choices = reply.choices;
  setUsualReading(reply.reading);
  ed.about = reply.about;
  ed.attributes = reply.attributes;
  takeExamples(reply);
  drawActions();
  write(part("reminder"), ed.about.reminder);
  ed.progress = reply.progress;
  ed.trail = reply.trail;
  ed.at = ed.trail.length - 1;
  outbox.onsaved = onSaved;
  outbox.onchange = () => {
    if (outbox.failures === 1 && !outbox.inFlight) toast("Not saved yet. What you decide is kept in this browser and sent as soon as the server answers.");
    drawSaved();
    drawConflicts();
  };
  applyLook();
  startOutbox();
  drawConflicts();
  showNotice();
  startBreaks();
  const shown = begin(reply);
  if (reply.unreadable) {
    memory.write("filter", ed.filter);
    say("Part of the queue's filter was left out. " + reply.unreadable);
  }
  return shown;
}

function begin(reply) {
  if (!reply.item) {
    drawBar();
    return reply.error ? say(reply.error) : nothingLeft();
  }
  const item = receiveItem(reply.item);
  const index = ed.trail.indexOf(item.post.id);
  if (index >= 0) ed.trail.splice(index, 1);
  ed.at = ed.trail.push(item.post.id) - 1;
  const shown = show(item);
  if (!notice.open) offerGuide();
  return shown;
}

async function firstReply(message) {
  for (let tries = 1; ; tries += 1) {
    const reply = await call("review_start", message);
    if (reply && reply.ok) return reply;
    part("wait").textContent = (reply && reply.error) || "The server cannot be reached. Trying again…";
    await sleep(Math.min(5000, 400 * tries));
  }
}
