"""`python -m deeplab` is the `deeplab` command."""

from deeplab.cli.main import main

main()
