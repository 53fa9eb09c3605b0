"""What a manifest says stays readable: those written by earlier versions, too."""

import json
from pathlib import Path

import pytest

from andon.models.bundle.manifest import VisionManifest, decode_manifest
from andon.models.types.errors import BundleError

FROZEN = Path(__file__).parent / "vision-schema-1.json"
"""The manifest of a detector of striped plates, as the first version of Andon wrote it. Never write it anew."""


def test_a_vision_manifest_of_the_first_schema_is_read_and_written_byte_for_byte() -> None:
    manifest = decode_manifest(FROZEN.read_bytes(), "frozen")
    assert isinstance(manifest, VisionManifest)
    assert (manifest.schema_version, manifest.label, manifest.seed) == (1, "vision/patchcore", 0)
    assert manifest.operating_point.threshold == 2.236873006820679
    assert manifest.gates[1].high is None
    assert manifest.encode() == FROZEN.read_bytes()


def test_each_member_of_a_manifest_is_needed() -> None:
    document = json.loads(FROZEN.read_bytes())
    for name in document:
        with pytest.raises(BundleError) as caught:
            decode_manifest(json.dumps({key: value for key, value in document.items() if key != name}).encode(), "x")
        assert caught.value.code == "bundle.manifest"
        assert name in str(caught.value.params["reason"])


@pytest.mark.parametrize("encoded", [b"", b"[]", b'{"kind": "\xff"}', b'{"x": ' + b"[" * 100_000])
def test_what_is_no_manifest_is_refused(encoded: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        decode_manifest(encoded, "x")
    assert caught.value.code == "bundle.manifest"
