// Every call says whose page this is. If somebody else has signed in in another tab the server refuses it, and the page reloads:
// what waits in it stays in the browser's storage under its owner's name.
(() => {
  const plain = window.fetch;
  let owner = null;
  let leaving = false;

  function pageOwner() {
    if (owner === null && window.gradio_config) owner = window.gradio_config.username || "";
    return owner;
  }

  function leave() {
    if (leaving) return;
    leaving = true;
    window.evidenceLeaving = true; // nothing is lost by leaving: see the outbox
    window.location.reload();
  }

  window.fetch = async function (input, init) {
    const asked = input instanceof Request ? input : null;
    const address = new URL(asked ? asked.url : String(input), document.baseURI);
    if (address.origin !== window.location.origin || !pageOwner()) return plain.call(window, input, init);
    const headers = new Headers((init && init.headers) || (asked ? asked.headers : undefined));
    headers.set("x-evidence-person", encodeURIComponent(pageOwner()));
    const answer = await plain.call(window, input, { ...init, headers });
    if (answer.status === 409 && answer.headers.get("x-evidence-person") === "another") leave();
    return answer;
  };
})();
