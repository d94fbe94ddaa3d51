"""Publishes packages: makes snapshots of published and mirrored packuments, signs records of them, seeds and announces
both. What clients read is in `delivery`."""
