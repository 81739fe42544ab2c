// A frame that asks for the next one, and so on for ever, keeps a processor busy while nobody does anything. Gradio's
// sign of loading does so: it is taken off the page and counts its seconds on. Such a chain is slowed down after a while.
(() => {
  "use strict";
  const LONG = 20000, SLOW = 5000; // milliseconds: how long a chain may go on, and how often it comes from then on
  const next = window.requestAnimationFrame.bind(window);
  let chain = 0; // when the chain of the frame began that is being drawn

  window.requestAnimationFrame = (draw) => {
    const began = chain || performance.now();
    const drawn = (time) => {
      chain = began;
      try { draw(time); } finally { chain = 0; }
    };
    if (performance.now() - began < LONG) return next(drawn);
    setTimeout(() => next(drawn), SLOW);
    return 0; // cannot be cancelled
  };
})();
// Gradio cuts off the stream of an answer that has come, though the server is about to end it: browsers list a request
// that is cut as failed. Here it is read to its end.
(() => {
  "use strict";
  const load = window.fetch.bind(window);
  const isStream = (what) => new URL(what.url || what, location.href).pathname.endsWith("/queue/data");

  async function readToEnd(response) {
    const reader = response.body.getReader();
    try { while (!(await reader.read()).done); } catch { /* the connection was lost: who waits for the answer is told */ }
  }

  window.fetch = async (what, how) => {
    if (!isStream(what)) return load(what, how);
    const response = await load(what, { ...how, signal: null });
    readToEnd(response.clone()); // of two readers one that stops cuts nothing off
    return response;
  };
})();
