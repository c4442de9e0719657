// Time: spent on a decision, from a key to the screen, for a save.
export const clock = { last: performance.now(), spent: 0, idleAfter: 90000 };

export function lapClock() {
  const now = performance.now();
  const seconds = (clock.spent + Math.min(now - clock.last, clock.idleAfter)) / 1000;
  clock.spent = 0;
  clock.last = now;
  return Math.round(seconds * 10) / 10;
}

export function noteActivity() {
  const now = performance.now();
  clock.spent += Math.min(now - clock.last, clock.idleAfter);
  clock.last = now;
}

export function timing(name, milliseconds) {
  performance.measure("evidence:" + name, { start: Math.max(0, performance.now() - milliseconds), duration: milliseconds });
}

// From the key to the frame in which its result is on the screen.
export function measurePaint(began) {
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => timing("gesture", performance.now() - began);
    channel.port2.postMessage(0);
  });
}
