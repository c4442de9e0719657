// What can be done, with its key and its words: buttons, help and keyboard read the same list. The key of an action can be
// changed; the arrow keys of the two text modes, the digits and Ctrl+Z stay as they are.

import { button, make, oncePerClick } from "./dom.js";
import { ed } from "./state.js";
import { settings } from "./settings.js";

const KEY_SIGNS = { "Shift+": "⇧", Enter: "⏎", Backspace: "⌫", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };

export const ACTIONS = [
  ["confirm", "Enter", "Confirm what is shown; when all is done: next post"],
  ["confirm_rest", "Shift+Enter", "Confirm the rest: shows it first (while Shift is held, in the text, too)"],
  ["accept", "a", "Accept the span"],
  ["reject", "x", "Reject the span (removes one of your own)"],
  ["reopen", "Backspace", "Take back the decision on the span"],
  ["none", "0", "No evidence for this criterion"],
  ["unsure", "u", "Unsure about this criterion"],
  ["next_span", "j", "Next span"],
  ["previous_span", "k", "Previous span"],
  ["next_criterion", "]", "Next criterion"],
  ["previous_criterion", "[", "Previous criterion"],
  ["next_post", "n", "Next post"],
  ["previous_post", "p", "Previous post"],
  ["skip", "s", "Skip this post for now"],
  ["assign", "i", "Assign this post to me"],
  ["reading", "v", "Whole post at once, or criterion by criterion"],
  ["caret", "c", "Select text with the keyboard"],
  ["edges", "e", "Move the edges of the span"],
  ["said", "l", "Say more of the span: level, flags, why"],
  ["labels", "y", "Label the whole post"],
  ["tighten", "t", "Shorten the span to the model's core passage"],
  ["snap", "w", "What a selection takes: as drawn, whole words, whole sentences"],
  ["undo", "z", "Undo (also Ctrl+Z), across posts and sessions"],
  ["redo", "Shift+Z", "Redo (also Ctrl+Shift+Z)"],
  ["note", "m", "Write a note"],
  ["others", "o", "Show the other criteria's spans faintly"],
  ["blur", "b", "Blur the text until the mouse is over it"],
  ["bigger", "+", "Larger text"],
  ["smaller", "-", "Smaller text"],
  ["compact", "d", "Narrower or wider lines"],
  ["frame", "f", "Hide or show what stands around the editor"],
  ["guideline", "g", "Open or close the guideline"],
  ["history", "h", "History of this post"],
  ["discuss", "r", "Discuss this post, or flag it for the lead"],
  ["author", "q", "The author's posts before and after this one"],
  ["search", "/", "Search and queue"],
  ["help", "?", "Keys and help"],
];

// How the page looks, and what a selection takes: nothing of it chooses or decides.
export const LOOKS = new Set(["bigger", "smaller", "compact", "frame", "blur", "others", "guideline", "snap"]);
const REPEATED = new Set([...LOOKS, "undo", "redo", "previous_post"]); // each click of a quick row of them is meant
export const WITHOUT_POST = new Set(["search", "help", "next_post", "previous_post", "undo", "redo"]); // what can be done when no post is open

export function ofSpans() {
  const { severity, flags, rationale } = ed.attributes;
  return Boolean(rationale || (flags && flags.length) || (severity && severity.levels.length));
}

export function ofPosts() {
  return (ed.attributes.labels || []).some((scale) => scale.levels.length);
}

// The actions that this project has: what it does not define is neither offered nor does its key do anything.
export function offered() {
  return ACTIONS.filter(([id]) => (id === "said" ? ofSpans() : id === "labels" ? ofPosts() : true));
}

export function keyOf(action) {
  return settings.keys[action] || ACTIONS.find((a) => a[0] === action)[1];
}

export function keyName(event) {
  const shift = event.shiftKey ? "Shift+" : "";
  if (event.key.length !== 1) return shift + event.key;
  const letter = event.key.toLowerCase() !== event.key.toUpperCase();
  return letter ? shift + event.key.toLowerCase().replace(/^./u, (c) => (event.shiftKey ? c.toUpperCase() : c)) : event.key;
}

export function actionFor(event) {
  const name = keyName(event);
  const known = offered();
  const chosen = known.find(([id]) => settings.keys[id] === name); // before a key that came with a later version
  return chosen || known.find(([id]) => keyOf(id) === name) || null;
}

export function shownKey(key) {
  return Object.entries(KEY_SIGNS).reduce((shown, [name, sign]) => shown.replace(name, sign), key === " " ? "Space" : key);
}

export function keyHint(action) {
  return make("kbd", { "aria-hidden": "true" }, shownKey(keyOf(action)));
}

const performers = {}; // what each action does: told by the module that starts the page, which knows them all
let prepare = null;

// before(action): what is under way in the text is brought to its end first.
export function register(actions, before) {
  Object.assign(performers, actions);
  prepare = before;
}

export function perform(action) {
  prepare(action);
  return performers[action]();
}

export function actionButton(action, label, props) {
  const title = ACTIONS.find((a) => a[0] === action)[2];
  const run = () => ed.me && (ed.item || WITHOUT_POST.has(action)) && perform(action);
  return button([make("span", {}, label), keyHint(action)], REPEATED.has(action) ? run : oncePerClick(run), { "data-action": action, title, ...props });
}
