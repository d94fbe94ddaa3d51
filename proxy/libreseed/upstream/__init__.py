"""The npm registries behind us, as npm is configured with them. Whether one is asked at all is decided in
`delivery`."""
