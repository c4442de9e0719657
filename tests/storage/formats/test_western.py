"""Short texts in western encodings: one accent or quote alone tells which, or the file is refused and asked for its encoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.formats.encodings import detect_encoding
from storage.formats.rows import FormatError
from storage.formats.western import western
from tests.storage.formats.reading import rows

TEXTS = [
    "The naïve plan.", "I don’t know the café.", "That’s it", "“Hello,” she said — and left…", "Ich bin müde.", "große Sorgen",
    "schön hier", "mañana", "canción", "¿Qué tal? ¡Bien!", "Elle est née à l’hôtel", "cœur brisé", "École fermée", "Österreich ist weit",
    "Este año no puedo dormir", "Jeg er lige så træt som før", "Nem minha mãe dorme, e eu também não",
   "« bonjour »", "37°C fever", "• item one", "smørrebrød", "Åse bor i Malmö", "São Paulo, coração", "over 30 € a day", "‘single’ quotes",
]  # fmt: skip


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman"])
@pytest.mark.parametrize("text", TEXTS)
def test_one_short_line_tells_its_encoding(text: str, encoding: str) -> None:
    found = western(f"{text}\n".encode(encoding))
    assert found is not None
    assert found.name is not None
    assert f"{text}\n".encode(encoding).decode(found.name) == f"{text}\n"


@pytest.mark.parametrize(
    "text",
    ["Nie mogę spać, źle się czuję.", "Łatwo się złoszczę, wszystko mnie męczy", "Nemůžu spát a jsem pořád unavený.",
     "Nem tudok aludni, és egész nap fáradt vagyok, őszintén szólva.", "Nu pot să dorm şi sunt foarte obosit în fiecare zi."],
)  # fmt: skip
def test_words_of_central_europe_are_read_in_its_encoding_or_asked_about(text: str) -> None:
    for encoding in ("cp1250", "iso8859_2"):
        found = western(f"{text}\n".encode(encoding))
        assert found is not None
        read = f"{text}\n".encode(encoding).decode(found.name) if found.name else None
        assert read == f"{text}\n" or (read is None and encoding == "iso8859_2")


@pytest.mark.parametrize(
    ("text", "encoding"), [("Привет, как дела", "cp1251"), ("我睡不着", "gb18030"), ("眠れない夜", "shift_jis")]
)
def test_a_text_in_another_script_is_none_of_them(text: str, encoding: str) -> None:
    assert western(text.encode(encoding)) is None


def test_two_readings_that_are_as_good_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes("id,text\n1,el día es gris\n".encode("mac_roman"))
    with pytest.raises(FormatError, match=r"cp1252 .* or mac_roman .*--encoding"):
        detect_encoding(tmp_path / "in.csv")
    assert [row.text for row in rows(tmp_path / "in.csv", "csv", encoding="mac_roman")] == ["el día es gris"]  # type: ignore[union-attr]
