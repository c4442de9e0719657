"""CSV and TSV as programs and people write them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from storage.formats.detection import detect
from storage.formats.ledger import Ledger
from storage.formats.rows import FormatError, ImportRow
from tests.storage.formats.reading import FOOD, SLEEP, entries, one, reasons, rows, said


def written(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join(lines).encode(encoding) + "\n".encode(encoding))
    return path


def texts(path: Path, **options: object) -> list[tuple[str | None, str | None]]:
    return [(r.post_id, r.text) for r in rows(path, **options) if isinstance(r, ImportRow)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("semicolons, commas in a name", ["id;text;mood, food, joy", "1;Awake, often.;low"]),
        ("a line that names the delimiter", ["sep=;", "id;text", "1;Awake, often."]),
        ("empty columns at the edge", ["id,text,,", '1,"Awake, often.",,']),
        ("blanks after the delimiter", ["id, text, n", '1, "Awake, often.", 2']),
        ("a title and a blank line above", ["Wave 2,,", ",,", "id,text,n", '1,"Awake, often.",2']),
        ("a column without a name", ["id,text,", '1,"Awake, often.",x']),
        ("pipes", ["id|text", "1|Awake, often."]),
        ("a repeated header", ["id,text", '1,"Awake, often."', "id,text"]),
        ("empty rows", ["id,text", '1,"Awake, often."', ",", ""]),
        ("a byte order mark", ['\ufeff"id","text"', '"1","Awake, often."']),
    ],
)
def test_habits_of_spreadsheets_are_understood(name: str, lines: list[str], tmp_path: Path) -> None:
    assert texts(written(tmp_path / "in.csv", *lines)) == [("1", "Awake, often.")]


def test_quotes_escaped_by_a_backslash_are_quotes(tmp_path: Path) -> None:
    path = written(tmp_path / "in.csv", "id,text,n", r'1,"She said \"sleep\" and, well, woke.",a', "2,Fine,b")
    assert texts(path) == [("1", 'She said "sleep" and, well, woke.'), ("2", "Fine")]


def test_a_cell_with_text_after_its_closing_quote_is_refused_not_garbled(tmp_path: Path) -> None:
    lines = ["id,text", *(f'{n},"Fine, {n}."' for n in range(200)), '300,"She said "sleep" and woke."']
    found = rows(written(tmp_path / "in.csv", *lines))
    assert [r for r, _ in reasons(found)] == [202]


def test_a_column_alone_needs_a_name(tmp_path: Path) -> None:
    assert texts(written(tmp_path / "a.csv", "text", "Awake\tuntil four.", "Food, taste; none.")) == [
        (None, "Awake\tuntil four."),
        (None, "Food, taste; none."),
    ]
    with pytest.raises(FormatError, match="no table: its lines have one cell each"):
        rows(written(tmp_path / "mail.eml", "From: somebody", "", "I lie awake until four."))


def test_ids_stay_letter_for_letter(tmp_path: Path) -> None:
    path = written(tmp_path / "in.csv", "job_id,text", "007,I lie awake.", "7.0,Fine.", "1e5,Well.")
    assert [i for i, _ in texts(path)] == ["007", "7.0", "1e5"]


@pytest.mark.parametrize("column", ["job_id", "post_nr", "PostID", "record id", "tweet_no"])
def test_a_column_that_numbers_the_posts_is_their_id(column: str, tmp_path: Path) -> None:
    path = written(tmp_path / "in.csv", f"{column},text", "a1,I lie awake.", "a2,Fine.")
    assert [i for i, _ in texts(path)] == ["a1", "a2"]


def test_a_column_under_a_known_name_with_other_values_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "in.csv", "id,text,status,start", "1,I lie awake.,Anxiety,Monday")
    row = one(path)
    assert (row.meta, row.labels) == ({"status": "Anxiety", "start": "Monday"}, ())


def test_an_unknown_verdict_costs_its_label_alone(tmp_path: Path) -> None:
    lines = ["id,text,criterion,quote,verdict"]
    lines += [f'{n},"{SLEEP}",SLEEP_ISSUES,"{SLEEP}",1' for n in range(60)] + [
        f'99,"{FOOD}",ANHEDONIA,"{FOOD}",perhaps'
    ]
    last = rows(written(tmp_path / "in.csv", *lines))[-1]
    assert isinstance(last, ImportRow)
    assert (last.text, said(last), [la.left_out for la in last.labels]) == (
        FOOD,
        {},
        ["'perhaps' is no verdict; use evidence, no_evidence or unsure"],
    )


def test_error_values_and_placeholders_are_no_texts(tmp_path: Path) -> None:
    lines = [
        "id,text",
        "1,#NAME?",
        "2,[removed]",
        "3,[deleted]",
        "4,\u200b\u200d",
        "5,[ Removed by Reddit ]",
        "6,Fine.",
    ]
    found = rows(written(tmp_path / "in.csv", *lines))
    assert [n for n, _ in reasons(found)] == [2, 3, 4, 5, 6]
    assert len(found) == 6


def test_a_full_cell_may_have_been_cut(tmp_path: Path) -> None:
    row = one(written(tmp_path / "in.csv", "id,text", "1," + "a" * 32_767))
    assert row.notes == (
        (
            "doubtful",
            "the text fills a spreadsheet's cell (32,767 characters) to the last character: it may have been cut there",
        ),
    )


def test_rows_of_two_encodings_are_told_apart(tmp_path: Path) -> None:
    lines = [b"id,text", "1,I couldn’t sleep.".encode(), "2,I can’t rest.".encode("cp1252"), b"3,plain"]
    (tmp_path / "in.csv").write_bytes(b"\n".join(lines) + b"\n")
    found = rows(tmp_path / "in.csv")
    assert texts(tmp_path / "in.csv") == [("1", "I couldn’t sleep."), ("3", "plain")]
    assert reasons(found) == [(3, "holds bytes that do not fit the file's encoding (utf-8)")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_found(encoding: str, tmp_path: Path) -> None:
    path = written(tmp_path / "in.csv", "id\ttext", "1\tCafé, I lie awake 😭", encoding=encoding)
    assert detect(path).encoding.name == encoding
    assert texts(path) == [("1", "Café, I lie awake 😭")]


def test_columns_can_be_joined_to_the_text(tmp_path: Path) -> None:
    path = written(tmp_path / "in.csv", "id,title,body", "1,Help,I lie awake.", "2,Only this,")
    assert texts(path, columns={"text": "title+body"}) == [("1", "Help\n\nI lie awake."), ("2", "Only this")]


def test_a_repeated_header_and_every_column_are_in_the_ledger(tmp_path: Path) -> None:
    path = written(tmp_path / "in.csv", "id,text,mood", "1,Fine.,low", "id,text,mood")
    ledger = Ledger()
    (row,) = rows(path, ledger=ledger)
    ledger.add(row.account)
    assert entries(ledger) == [
        ("line", "repeated header", "left out"),
        ("column", "mood", "kept in meta"),
        ("column", "id", "taken"),
        ("column", "text", "taken"),
    ]


@pytest.mark.parametrize("line", ['1,"never closed', '1,"a""b', '1,"a"b,"'])
def test_reading_time_grows_with_the_file_whatever_its_quotes(line: str, tmp_path: Path) -> None:
    """Four times the rows in less than ten times the time; a square would take sixteen."""

    def seconds(count: int) -> float:
        path = written(tmp_path / f"{count}.csv", "id,text", '0,"open', *[line] * count)
        began = time.thread_time()
        rows(path)
        return time.thread_time() - began

    def least(count: int) -> float:
        return min(seconds(count) for _ in range(3))  # a busy machine only ever adds

    seconds(500)
    assert least(8000) < 10 * max(least(2000), 0.02)


def test_one_bad_offset_or_verdict_among_few_rows_costs_its_label_alone(tmp_path: Path) -> None:
    lines = ["id,text,start,end,label,verdict", f'1,"{SLEEP}",0,23,SLEEP_ISSUES,1', f'2,"{FOOD}",0,x,ANHEDONIA,1']
    lines += [f'3,"Well. {FOOD}",0,5,ANHEDONIA,0', f'4,"Fine. {FOOD}",0,5,ANHEDONIA,perhaps']
    first, second, third, fourth = rows(written(tmp_path / "in.csv", *lines))
    assert said(first) == {"SLEEP_ISSUES": ("evidence", [SLEEP])}
    assert said(third) == {"ANHEDONIA": ("no_evidence", [])}
    for row in (second, fourth):
        assert isinstance(row, ImportRow)
        assert "ANHEDONIA" in {la.criterion for la in row.labels if la.left_out}


def test_a_first_row_that_is_data_is_no_header(tmp_path: Path) -> None:
    path = written(tmp_path / "in.csv", f"1,{SLEEP}", f"2,{FOOD}")
    with pytest.raises(FormatError, match=r"its first row, '1, I lie awake until four\.', is data"):
        rows(path)
    assert texts(written(path, f"2019,id,{SLEEP}", f"1,2,{FOOD}")) != []
