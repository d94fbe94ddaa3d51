"""From a new version, or a mirrored one, to a signed record that is found and seeded. What clients read is in
`delivery`."""
