// Beginning anew forgets every decision of this visitor on the server, and what this browser keeps for the review page.

import { app } from "../span_editor/js/app.js";
import { find, mount } from "../span_editor/js/dom.js";

async function beginAnew() {
  find(".tour-anew").disabled = true;
  const answer = await app.tour_anew({});
  if (answer && answer.ok === true) {
    for (const key of Object.keys(localStorage)) if (key.includes("outbox|")) localStorage.removeItem(key);
    window.location.assign("?tab=review");
    return;
  }
  find(".tour-anew").disabled = false;
  find(".tour-error").textContent = (answer && answer.error) || "The app did not answer. Try again.";
}

export function start({ element, props }) {
  mount(element);
  const { hours } = props.value;
  const minutes = Math.round(hours * 60);
  find(".tour-when").textContent = minutes < 120 ? `${minutes} minutes` : hours === 2 ? "two hours" : `${hours} hours`;
  find(".tour-anew").addEventListener("click", beginAnew);
}
