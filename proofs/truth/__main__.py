"""This file is `python -m proofs.truth`, which prints docs/permissions.md."""

import sys

from proofs.truth.page import page

sys.stdout.write(page())
