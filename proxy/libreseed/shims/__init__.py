"""Renders the npm package `libreseed` from the template folders."""
