"""The span editor: a component of our own, drawn with text nodes from plain HTML, CSS and JavaScript files.

Conversion between code points and the browser's UTF-16 units happens in `js/offsets.js` and nowhere else.
"""
