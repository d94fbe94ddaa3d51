"""`python -m libreseed`."""

from libreseed.cli.main import main

main()
