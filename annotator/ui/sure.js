// What cannot be undone, or shows people what they did not see, asks once more: the first click turns the button into the question.

import { button, oncePerClick } from "../span_editor/js/dom.js";

export function sureButton(label, question, run, props) {
  let asked = false;
  const click = () => {
    if (asked) return run();
    asked = true;
    node.textContent = question();
    return node.focus(); // until it is left
  };
  const node = button(label, oncePerClick(click), { ...props, onblur: () => node.calm() });
  node.calm = () => ((asked = false), (node.textContent = label));
  return node;
}
