"""Imports and exports as use cases: what the pages, the API, the command line and the worker call."""

from annotator.exchange.exporting import ExportRefused, export_file
from annotator.exchange.options import ImportCancelled, ImportRefused
from annotator.exchange.use_cases import (
    Plan,
    delete_preset,
    export_filter,
    format_choices,
    import_file,
    plan_import,
    presets,
    report_lines,
    run_import_job,
    save_preset,
    undo_import,
)
from storage.exports import ExportFilter
from storage.formats.registry import AUTO, READERS, WRITERS, format_named
from storage.formats.rows import FormatError

__all__ = [
    "AUTO",
    "READERS",
    "WRITERS",
    "ExportFilter",
    "ExportRefused",
    "FormatError",
    "ImportCancelled",
    "ImportRefused",
    "Plan",
    "delete_preset",
    "export_file",
    "export_filter",
    "format_choices",
    "format_named",
    "import_file",
    "plan_import",
    "presets",
    "report_lines",
    "run_import_job",
    "save_preset",
    "undo_import",
]
