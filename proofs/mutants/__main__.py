"""This file is `python -m proofs.mutants`, which tests some of the mutants, or tells which there are."""

import argparse
import asyncio
import sys

from proofs.mutants.score import every_mutant, score


def main() -> int:
    """Test the mutants asked for; return 1 when one survives."""
    asked = argparse.ArgumentParser(description="Test mutants of permissions/.")
    asked.add_argument("--list", action="store_true", help="tell the mutants and their numbers, and test none")
    asked.add_argument("--only", type=int, nargs="+", metavar="N", help="test the mutants of these numbers")
    given = asked.parse_args()
    if given.list:
        sys.stdout.writelines(f"{number:>4} {mutant}\n" for number, mutant in enumerate(every_mutant()))
        return 0
    found = asyncio.run(score(_told, given.only))
    sys.stdout.write(
        f"{len(found.killed)} killed, {len(found.equivalent)} equivalent, {len(found.survived)} survived\n"
    )
    sys.stdout.writelines(f"  {mutant}\n" for mutant in found.survived)
    return 1 if found.survived else 0


def _told(done: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {of}" if done < of else "\r")


sys.exit(main())
