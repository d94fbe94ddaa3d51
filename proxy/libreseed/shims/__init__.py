"""Renders the npm package `libreseed` from the template folders. The templates are in node-shims/ and bundler-
plugins/."""
