"""This file is `python -m proofs.permission_matrix`, which prints docs/permissions.md."""

import sys

from proofs.permission_matrix.markdown import page

sys.stdout.write(page())
