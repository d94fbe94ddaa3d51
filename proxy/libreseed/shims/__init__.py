"""Renders the npm package `libreseed` from the templates in node-shims/ and bundler-plugins/."""
