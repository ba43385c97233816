"""`python -m deeplab` is the `deeplab` command."""

from deeplab.cli import main

main()
