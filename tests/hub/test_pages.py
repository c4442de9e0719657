"""The Hub's parts of the pages: nothing leaves in one step, and only what was shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotator.hub.client import HubRefused
from annotator.models.serving import ModelService
from annotator.project import open_project
from annotator.settings import Settings
from storage.exports import ExportFilter
from storage.records import InvalidRecord, Reviewer, Role
from tests.annotator.model_directories import a_version
from tests.annotator.ui.test_pages import Asked
from tests.builders import a_post, an_annotation
from tests.hub.standin import StandIn

gr = pytest.importorskip("gradio")

from annotator.ui.context import Context  # noqa: E402
from annotator.ui.data_hub import PushPart, build_fetch  # noqa: E402
from annotator.ui.layout import build_blocks  # noqa: E402
from annotator.ui.retrain_hub import HubPart  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore::pytest.PytestUnraisableExceptionWarning"
    ),  # gradio leaves loops and sockets behind
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

ADAM = Asked(Reviewer("adam", Role.ADMIN))
OTHER = Asked(Reviewer("olga", Role.ADMIN))
EVA = Asked(Reviewer("eva", Role.REVIEWER))


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Context]:
    project = open_project(Settings(data_dir=tmp_path / "project", empty=True, device="cpu"))
    post = a_post()
    project.store.add_posts([post])
    project.store.ensure_reviewer("ana")
    project.store.add_annotation(an_annotation(post, "cannot sleep"), expected_revision=0)
    yield Context(project, ModelService(project.store, project.settings))
    project.store.close()


def pushing_models(pages: Context) -> HubPart:
    with gr.Blocks():
        part = HubPart(pages)
        part.build(gr.Dropdown([]))
    return part


def pushing_data(pages: Context) -> PushPart:
    with gr.Blocks():
        part = PushPart(pages)
        part.build()
    return part


def words_of(shown: list[Any]) -> str:
    return str(shown[1])


def test_a_version_leaves_only_after_it_was_shown_and_agreed_to(on_the_hub: StandIn, pages: Context) -> None:
    part, version = pushing_models(pages), a_version(pages.store, pages.settings).id
    with pytest.raises(InvalidRecord, match="what would leave first"):
        part.push(ADAM)
    words = words_of(part.ask(version, " ana/evidence ", ADAM))
    assert f"{on_the_hub.endpoint}/ana/evidence (private" in words
    assert "Sent as ana" in words
    assert ("model", "ana/evidence") not in on_the_hub.repos
    with pytest.raises(InvalidRecord):
        part.push(OTHER)
    part.push(ADAM)
    assert on_the_hub.repo("model", "ana/evidence").private
    with pytest.raises(InvalidRecord):
        part.push(ADAM)


def test_what_is_kept_here_cannot_be_sent_afterwards(on_the_hub: StandIn, pages: Context) -> None:
    part = pushing_models(pages)
    part.ask(a_version(pages.store, pages.settings).id, "ana/evidence", ADAM)
    part.consent.keep(ADAM)
    with pytest.raises(InvalidRecord):
        part.push(ADAM)
    assert on_the_hub.repos == {}


def test_a_version_is_pulled_from_the_page(on_the_hub: StandIn, pages: Context) -> None:
    part, version = pushing_models(pages), a_version(pages.store, pages.settings).id
    part.ask(version, "ana/evidence", ADAM)
    part.push(ADAM)
    before = {m.id for m in pages.store.models()}
    part.pull("ana/evidence", ADAM)
    assert {m.id for m in pages.store.models()} - before == {"v2"}
    with pytest.raises(HubRefused, match="no model at"):
        part.pull("ana/missing", ADAM)


def test_an_export_leaves_as_it_was_shown(on_the_hub: StandIn, pages: Context) -> None:
    part = pushing_data(pages)
    words = words_of(part.ask("ana/corrected", ExportFilter(), "unknown", ADAM))
    assert "the full text of 1 posts" in words
    later = a_post("Added after it was shown.", id="p2")
    pages.store.add_posts([later])
    pages.store.add_annotation(an_annotation(later), expected_revision=0)
    part.push(ADAM)
    repo = on_the_hub.repo("dataset", "ana/corrected")
    assert repo.private
    assert sorted(repo.files) == ["README.md", "data/train.parquet", "manifest.json"]
    assert '"posts": 1' in repo.files["manifest.json"].decode()


def test_only_admins_send(on_the_hub: StandIn, pages: Context) -> None:
    for act in (
        lambda: pushing_data(pages).ask("ana/d", ExportFilter(), "unknown", EVA),
        lambda: pushing_models(pages).ask("v1", "ana/m", EVA),
        lambda: pushing_models(pages).pull("ana/m", EVA),
        lambda: pushing_models(pages).push(EVA),
    ):
        with pytest.raises(gr.Error, match="This is for admin"):
            act()
    assert on_the_hub.calls == []


def test_nobody_logged_in_is_said_before_anything_is_shown(
    on_the_hub: StandIn, pages: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubRefused, match="hf auth login"):
        pushing_data(pages).ask("ana/d", ExportFilter(), "unknown", ADAM)


def test_a_dataset_of_the_hub_is_looked_at_like_an_uploaded_file(on_the_hub: StandIn, pages: Context) -> None:
    from annotator.exchange.hub_datasets import fetched_archive
    from annotator.exchange.looking import look_at
    from annotator.exchange.options import ImportOptions

    on_the_hub.add("dataset", "lab/posts", {"train.csv": "id,text\n1,I cannot sleep.\n", "README.md": "# Posts"})
    packed = fetched_archive("lab/posts", pages.settings.uploads_dir)
    plan = look_at(pages.store, packed, ImportOptions(), folder=pages.settings.uploads_dir)
    assert (plan.format, len(plan.posts)) == ("csv", 1)
    with gr.Blocks():
        build_fetch(pages, gr.File())


def test_the_pages_hold_the_parts(pages: Context) -> None:
    ids = {b.elem_id for b in build_blocks(pages).blocks.values() if getattr(b, "elem_id", None)}
    assert {"retrain-hub-push", "retrain-hub-pull", "export-hub-ask", "import-hub-fetch"} <= ids
