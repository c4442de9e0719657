// What a page does with what is chosen in its text: told by the module that starts the page, which knows it. So the mouse, the handles and
// the caret serve the review of a post and an adjudication alike, and know neither.

// { refresh(), addSpan(start, end, snap), adjustMark(start, end), pick(ids of marks), modeChanged(), drawn(entries) }
export const surface = {};

export function serve(page) {
  Object.assign(surface, page);
}
