"""`.libreseed_modules`: resolve, unpack, lay out, run."""
