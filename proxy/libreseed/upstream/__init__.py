"""The npm registry behind us."""
