"""Command `python -m proofs.permission_matrix`: prints docs/permissions.md."""

import sys

from proofs.permission_matrix.markdown import format_page

sys.stdout.write(format_page())
