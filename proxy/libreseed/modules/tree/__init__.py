"""Builds a `.libreseed_modules` tree and swaps it in. Its packages are unpacked by `modules.unpack`."""
