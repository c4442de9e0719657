"""WebAnno TSV 3, as INCEpTION writes it."""

from __future__ import annotations

from pathlib import Path

from tests.storage.formats.reading import one, said

S = "SLEEP_ISSUES"


def test_webanno_is_one_post_with_offsets_in_utf_16(tmp_path: Path) -> None:
    lines = ["#FORMAT=WebAnno TSV 3.3", "#T_SP=webanno.custom.Evidence|label|note", "", "", "#Text=😭 I lie awake."]
    lines += [
        "1-1\t0-2\t😭\t_\t_\t",
        "1-2\t3-4\tI\t_\t_\t",
        f"1-3\t5-8\tlie\t{S}[1]\tmuch[1]\t",
        f"1-4\t9-14\tawake\t{S}[1]\tmuch[1]\t",
    ]
    lines += ["1-5\t14-15\t.\t_\t_\t", "", "#Text=Fine now.", "2-1\t16-20\tFine\tJoy\t*\t", "2-2\t21-24\tnow\t_\t_\t"]
    (tmp_path / "doc.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    row = one(tmp_path / "doc.tsv")
    assert (row.post_id, row.text) == ("doc", "😭 I lie awake.\nFine now.")
    assert said(row) == {S: ("evidence", ["lie awake"]), "Joy": ("evidence", ["Fine"])}
