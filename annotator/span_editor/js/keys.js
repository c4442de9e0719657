// The keyboard. Every action has one key that can be seen (help, buttons) and changed; the arrow keys of the two text modes,
// the digits and Ctrl+Z stay as they are.

const ACTIONS = [
  ["confirm", "Enter", "Confirm the criterion as shown; when all are done: next post", () => confirmCriterion()],
  ["confirm_rest", "Shift+Enter", "Confirm all open criteria of the post as shown", () => confirmRest()],
  ["accept", "a", "Accept the span", () => decideMark("accept")],
  ["reject", "x", "Reject the span (removes one of your own)", () => decideMark("reject")],
  ["reopen", "Backspace", "Take back the decision on the span", () => decideMark("reopen")],
  ["none", "0", "No evidence for this criterion", () => decideNone()],
  ["unsure", "u", "Unsure about this criterion", () => decideUnsure()],
  ["next_span", "j", "Next span", () => stepMark(1)],
  ["previous_span", "k", "Previous span", () => stepMark(-1)],
  ["next_criterion", "]", "Next criterion", () => stepCriterion(1)],
  ["previous_criterion", "[", "Previous criterion", () => stepCriterion(-1)],
  ["next_post", "n", "Next post", () => goNext()],
  ["previous_post", "p", "Previous post", () => goPrevious()],
  ["skip", "s", "Skip this post for now", () => skipPost()],
  ["assign", "i", "Assign this post to me", () => assignToMe()],
  ["caret", "c", "Caret: select text with the keyboard", () => startCaret()],
  ["edges", "e", "Move the edges of the span", () => startEdges()],
  ["tighten", "t", "Tighten the span to the model's core passage", () => tighten()],
  ["snap", "w", "Snapping: off, word, sentence", () => cycleSnap()],
  ["undo", "z", "Undo (also Ctrl+Z), across posts and sessions", () => undo()],
  ["redo", "Shift+Z", "Redo (also Ctrl+Shift+Z)", () => undo(true)],
  ["note", "m", "Write a note", () => focusNote()],
  ["others", "o", "Show the other criteria's spans faintly", () => toggleShown("others")],
  ["blur", "b", "Blur the text until the mouse is over it", () => toggleShown("blur")],
  ["guideline", "g", "Open or close the guideline", () => toggleGuideline()],
  ["history", "h", "History of this post", () => openHistory()],
  ["search", "/", "Search and queue", () => openQueue()],
  ["help", "?", "Keys and help", () => openHelp()],
];

const WITHOUT_POST = new Set(["search", "help", "next_post", "previous_post", "undo", "redo"]); // what can be done when no post is open

const settings = { keys: {}, snap: "word", guideline: true, breakMinutes: 50, ...memory.read("settings", {}) };

function saveSettings() {
  memory.write("settings", settings);
}

function keyOf(action) {
  return settings.keys[action] || ACTIONS.find((a) => a[0] === action)[1];
}

function keyName(event) {
  const shift = event.shiftKey ? "Shift+" : "";
  if (event.key.length !== 1) return shift + event.key;
  const letter = event.key.toLowerCase() !== event.key.toUpperCase();
  return letter ? shift + event.key.toLowerCase().replace(/^./u, (c) => (event.shiftKey ? c.toUpperCase() : c)) : event.key;
}

function actionFor(event) {
  const name = keyName(event);
  return ACTIONS.find(([id]) => keyOf(id) === name) || null;
}

function wantsKeys(target) {
  const root = part("root");
  if (!root.offsetParent && !root.getClientRects().length) return false; // another tab of the page is open
  if (part("dialog").open) return false;
  if (target === document.body || target === document.documentElement) return true;
  return root.contains(target) && !target.closest("input, textarea, select, [contenteditable]");
}

function onKeyDown(event) {
  if (event.defaultPrevented || event.isComposing || !wantsKeys(event.target)) return;
  noteActivity();
  const began = performance.now();
  const onButton = event.target.closest && event.target.closest("button, summary, a[href]");
  if (onButton && (event.key === "Enter" || event.key === " ")) return;
  if (handleKey(event)) {
    event.preventDefault();
    measurePaint(began);
  }
}

function handleKey(event) {
  if (!ed.item) return handleWithoutItem(event);
  if (notice.open) return false;
  if (ed.mode === "caret" && onCaretKey(event)) return true;
  if (ed.mode === "edges" && onEdgeKey(event)) return true;
  if (event.ctrlKey || event.metaKey) return undoKey(event);
  if (event.altKey) return false;
  if (event.key >= "1" && event.key <= "9" && !event.shiftKey) return chooseCriterion(Number(event.key) - 1);
  if (event.key === "Escape") return clearSelection(), false;
  const action = actionFor(event);
  if (!action || event.repeat && !["next_span", "previous_span"].includes(action[0])) return Boolean(action);
  if (ed.mode === "edges") keepEdges();
  if (ed.mode === "caret") setMode("review");
  action[3]();
  return true;
}

function handleWithoutItem(event) {
  if (!ed.me || notice.open) return false; // still starting
  if (event.ctrlKey || event.metaKey) return undoKey(event);
  const action = event.altKey || event.repeat ? null : actionFor(event);
  if (!action || !WITHOUT_POST.has(action[0])) return false;
  action[3]();
  return true;
}

function undoKey(event) {
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return false;
  undo(key === "y" || event.shiftKey);
  return true;
}

function chooseCriterion(index) {
  if (index >= ed.item.criteria.length) return false;
  if (ed.mode === "edges") keepEdges();
  if (ed.mode === "caret") setMode("review");
  activate(index);
  const criterion = activeCriterion();
  announce(criterion.name + ", " + stateText(criterion));
  refresh();
  return true;
}

function stepCriterion(direction) {
  const count = ed.item.criteria.length;
  chooseCriterion((ed.active + direction + count) % count);
}

function cycleSnap() {
  settings.snap = { off: "word", word: "sentence", sentence: "off" }[settings.snap] || "word";
  saveSettings();
  drawBar();
  announce("Snapping: " + settings.snap);
}

function toggleShown(what) {
  ed.shown[what] = !ed.shown[what];
  memory.write("shown", ed.shown);
  part("root").classList.toggle("ev-blurred", ed.shown.blur);
  announce(what === "others" ? "Other criteria " + (ed.shown.others ? "shown" : "hidden") : "Blur " + (ed.shown.blur ? "on" : "off"));
  refresh();
}

// From the key to the frame in which its result is on the screen.
function measurePaint(began) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => timing("gesture", performance.now() - began);
    channel.port2.postMessage(0);
  });
}
