"""The manifest of a run: what is wrong with it is named."""

from __future__ import annotations

import pytest

from pinterest_lake.manifest import ManifestError, read_manifest


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "is not JSON"), ('{"topics": {}}', "'dead_letters' is missing"), ("{}", "'topics' is missing")],
)
def test_a_bad_manifest_is_named(spark, tmp_path, text, says):
    folder = tmp_path / "landing" / "dag" / "run"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(text)

    with pytest.raises(ManifestError, match=says) as caught:
        read_manifest(spark, f"file://{folder}/manifest.json")
    assert "manifest.json" in str(caught.value)
