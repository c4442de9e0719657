"""Imports and exports as use cases: what the pages, the API, the command line and the worker call."""

from annotator.exchange.exporting import ExportRefused, export_file
from annotator.exchange.importing import check_import, run_import
from annotator.exchange.options import ImportCancelled, ImportOptions, ImportRefused, ImportReport
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
from storage.formats.registry import AUTO, FORMATS, READERS, WRITERS, format_named
from storage.formats.rows import FormatError
from storage.formats.table import FIELDS

__all__ = [
    "AUTO",
    "FIELDS",
    "FORMATS",
    "READERS",
    "WRITERS",
    "ExportFilter",
    "ExportRefused",
    "FormatError",
    "ImportCancelled",
    "ImportOptions",
    "ImportRefused",
    "ImportReport",
    "Plan",
    "check_import",
    "delete_preset",
    "export_file",
    "export_filter",
    "format_choices",
    "format_named",
    "import_file",
    "plan_import",
    "presets",
    "report_lines",
    "run_import",
    "run_import_job",
    "save_preset",
    "undo_import",
]
