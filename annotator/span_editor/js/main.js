// Starting up: who is here, where they were, and the wiring of the page.

function drawActions() {
  fill(part("post-actions"),
    actionButton("previous_post", "‹ Previous"), actionButton("next_post", "Next ›"), actionButton("skip", "Skip"));
  fill(part("tools"),
    actionButton("undo", "Undo"), actionButton("redo", "Redo"), actionButton("search", "Queue"), actionButton("history", "History"),
    actionButton("others", "All criteria"), actionButton("blur", "Blur"), actionButton("assign", "Assign to me"), actionButton("help", "Help"));
  const verdicts = [["confirm", "Confirm", "ev-primary"], ["none", "No evidence", ""], ["unsure", "Unsure", ""]];
  const quick = h("div", { class: "ev-quick", "data-part": "quick", hidden: true }, actionButton("accept", "✓ Accept this span"), actionButton("reject", "✕ Reject this span"));
  fill(part("verdicts"), quick, verdicts.map(([id, label, cls]) => actionButton(id, label, { "data-part": id, class: cls })));
  fill(part("span-actions"), actionButton("tighten", "Tighten", { "data-part": "tighten" }), actionButton("edges", "Move edges", { "data-part": "edges" }), actionButton("caret", "Caret"));
  fill(part("rest"), actionButton("confirm_rest", "Confirm the rest"));
}

function wire() {
  drawActions();
  part("snap").addEventListener("click", () => cycleSnap());
  part("guideline").addEventListener("toggle", () => ((settings.guideline = part("guideline").open), saveSettings()));
  part("note").addEventListener("change", (event) => saveNote(event.target.value));
  part("note").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" && !(event.key === "Enter" && (event.ctrlKey || event.metaKey))) return;
    event.preventDefault();
    event.stopPropagation();
    focusRoot();
  });
  part("dialog-close").addEventListener("click", closeDialog);
  part("dialog").addEventListener("close", () => {
    stopListening();
    focusRoot();
  });
  part("dialog").addEventListener("pointerdown", (event) => event.target === part("dialog") && closeDialog()); // beside it
  part("add-selection").addEventListener("click", () => {
    const span = selectedSpan();
    if (span) addSpan(span[0], span[1], snapMode());
    clearSelection();
  });
  document.addEventListener("keydown", onKeyDown);
  window.addEventListener("evidence:open-post", (event) => openPost(event.detail.post_id, { fresh: true }));
  new ResizeObserver(debounce(50, fitHeight)).observe(document.body); // what stands above may come late, or be folded
  window.addEventListener("pagehide", () => ed.mode === "edges" && ed.draft && keepEdges());
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
  const criterion = item && item.criteria.find((c) => c.id === entry.message.criterion_id);
  if (!criterion) return;
  criterion.revision = result.revision;
  criterion.others = result.others;
  criterion.decidedOn = entry.message.criterion_version;
  if (item === ed.item && criterion === activeCriterion()) drawDetail();
}

async function start() {
  wire();
  fitHeight();
  ed.filter = memory.read("filter", {});
  Object.assign(ed.shown, memory.read("shown", {}));
  part("root").classList.toggle("ev-blurred", ed.shown.blur);
  const wanted = new URLSearchParams(window.location.search).get("post");
  const reply = await firstReply({ post_id: wanted, filter: ed.filter });
  ed.me = reply.me;
  ed.choices = reply.choices;
  ed.progress = reply.progress;
  ed.trail = reply.trail;
  ed.at = ed.trail.length - 1;
  outbox.onsaved = onSaved;
  outbox.onchange = () => {
    if (outbox.failures === 1 && !outbox.inFlight) toast("Not saved yet. What you decide is kept in this browser and sent as soon as the server answers.");
    drawSaved();
    drawConflicts();
  };
  startOutbox();
  drawConflicts();
  showNotice(reply.care);
  startBreaks();
  if (!reply.item) {
    drawBar();
    return reply.error ? say(reply.error) : nothingLeft();
  }
  const item = receiveItem(reply.item);
  const index = ed.trail.indexOf(item.post.id);
  if (index >= 0) ed.trail.splice(index, 1);
  ed.at = ed.trail.push(item.post.id) - 1;
  return show(item);
}

async function firstReply(message) {
  for (let tries = 1; ; tries += 1) {
    const reply = await call("review_start", message);
    if (reply && reply.ok) return reply;
    part("wait").textContent = (reply && reply.error) || "The server cannot be reached. Trying again…";
    await sleep(Math.min(5000, 400 * tries));
  }
}

start();
