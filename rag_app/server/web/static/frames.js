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
