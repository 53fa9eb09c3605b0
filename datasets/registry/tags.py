"""What a registered version of a bundle says of it in MLflow."""

DIGEST_TAG = "andon.bundle_digest"
SIGNATURE_TAG = "andon.signature"
"""The bundle's ``signature.json``, which takes the place of the one among its files."""

BUNDLE_IN_MODEL = "artifacts/bundle"
"""Where the bundle's files are among those of the model."""
