from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.security.people import Guarded, guarded


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A running app with eva (reviewer), jon (adjudicator) and adam (admin)."""
    with guarded(tmp_path_factory.mktemp("guarded"), max_upload_mb=2, upload_quota_mb=3) as running:
        yield running
