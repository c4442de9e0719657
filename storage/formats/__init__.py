"""Exchange formats: one module per format, each with `read()` and/or `write()`. No database, no model, no user interface.

A reader is a generator of `ImportRow` and `RowError`; a writer takes an iterable of `ExportPost`. Both work in constant memory.
A format's own library (pyarrow, openpyxl) is imported inside the function that uses it.
"""
