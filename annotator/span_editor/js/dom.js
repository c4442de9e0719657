// Building the page. Text of posts and people gets in through text nodes only: never as markup, never through a template.

export function make(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "style") for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
    else if (name === "value" || name === "checked" || name === "disabled") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child.nodeType ? child : document.createTextNode(String(child)));
  }
  return node;
}

export function shape(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}

let root = null; // the component's element

export function mount(element) {
  root = element;
  root.addEventListener("click", dropStray, true);
  root.addEventListener("keydown", dropHeld, true);
}

// A double click acts on the button that its first click reached. What was drawn in its place since, for the next case or with other
// numbers in it, nobody has seen. What `data-again` names decides nothing, and is the same button when it is drawn anew.
const pressed = { button: null, at: -Infinity };

function dropStray(event) {
  const here = event.target.closest("button");
  const again = event.detail > 1 && event.timeStamp - pressed.at < DOUBLE_CLICK_MS;
  if (here && again && !isSame(here, pressed.button)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  } else {
    Object.assign(pressed, { button: here, at: event.timeStamp });
  }
}

function isSame(here, before) {
  return here === before || Boolean(before && here.dataset.again && here.dataset.again === before.dataset.again);
}

// A key that is held down presses a button once, and not what has the focus since.
function dropHeld(event) {
  if (event.repeat && event.key === "Enter" && event.target.closest("button")) event.preventDefault();
}

export function find(selector) {
  return root.querySelector(selector);
}

export function part(name) {
  return find('[data-part="' + name + '"]');
}

export function fill(node, ...children) {
  node.replaceChildren(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
}

// Content that depends on nothing but `key`: an equal key leaves the nodes as they are, and the browser nothing to lay out.
export function fillOnce(node, key, build) {
  if (node.drawn === key) return;
  node.drawn = key;
  fill(node, build());
}

export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Once the frame that is being made now is on the screen. A page in the background has no frames, hence the second timer.
export function afterPaint(run) {
  let due = true;
  const once = () => due && ((due = false), run());
  requestAnimationFrame(() => setTimeout(once, 0));
  setTimeout(once, 200);
}

// A button that neither takes the focus away from the text nor loses the selection in it.
export function button(label, onclick, props) {
  return make("button", { type: "button", onmousedown: (e) => e.preventDefault(), onclick, ...props }, label);
}

export const DOUBLE_CLICK_MS = 350;

// For what is done once by a double click: the next of it, unseen, must not be decided too.
export function oncePerClick(run) {
  let last = -Infinity;
  return (event) => {
    if (event.detail > 1 && event.timeStamp - last < DOUBLE_CLICK_MS) return undefined; // 1: elsewhere, or after a pause; 0: by key
    last = event.timeStamp;
    return run(event);
  };
}

export function debounce(milliseconds, run) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...args), milliseconds);
  };
}

export function plural(count, word) {
  return count + " " + word + (count === 1 ? "" : "s");
}

// Guidelines are often written with lines broken at a fixed width: those breaks go, paragraphs and list items stay.
export function unwrapped(text) {
  return text.trim().replace(/([^\n.:!?])\n(?![\n\-*•])/g, "$1 ");
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// For what is stored once though it may be sent again. (`randomUUID` is there in secure contexts only.)
export function makeId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
