// The line of each criterion, the same on every page: a color, and a pattern that says the same without the color.

const PATTERNS = [
  (c) => ["linear-gradient(" + c + "," + c + ")", "100% 3px"],
  (c) => ["linear-gradient(90deg," + c + " 70%,transparent 0)", "12px 3px"],
  (c) => ["radial-gradient(circle at 2px 1.5px," + c + " 1.5px,transparent 1.7px)", "5px 3px"],
  (c) => ["linear-gradient(" + c + " 1px,transparent 1px,transparent 2px," + c + " 2px)", "100% 3px"],
  (c) => ["linear-gradient(90deg," + c + " 55%,transparent 0 70%," + c + " 0 85%,transparent 0)", "18px 3px"],
  (c) => ["linear-gradient(90deg," + c + " 50%,transparent 0)", "5px 3px"],
  (c) => ["conic-gradient(" + c + " 25%,transparent 0 50%," + c + " 0 75%,transparent 0)", "10px 3px"],
  (c) => ["linear-gradient(90deg," + c + " 46%,transparent 0 56%," + c + " 0 66%,transparent 0 76%," + c + " 0 86%,transparent 0)", "26px 3px"],
  (c) => ["linear-gradient(to top right," + c + " 50%,transparent 50%)", "8px 3px"],
  (c) => ["linear-gradient(transparent 1.5px," + c + " 1.5px)", "100% 3px"],
  (c) => ["linear-gradient(90deg," + c + " 85%,transparent 0)", "30px 3px"],
  (c) => ["radial-gradient(circle at 2px 1.5px," + c + " 1.5px,transparent 1.7px)", "10px 3px"],
];

export function colorOf(index) {
  return "var(--ev-c" + (index % 12) + ")";
}

// [image, size] of one piece of the line, to be repeated along it.
export function patternOf(index) {
  return PATTERNS[index % PATTERNS.length](colorOf(index));
}
