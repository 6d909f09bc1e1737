"""Command `python -m proofs.mutants`: tests or lists mutants of `permissions/`."""

import argparse
import asyncio
import sys

from proofs.mutants.score import list_mutants, score_mutants


def main() -> int:
    """Run the command. Returns 1 if a mutant survives."""
    parser = argparse.ArgumentParser(description="Test mutants of permissions/.")
    parser.add_argument("--list", action="store_true", help="list the mutants with their numbers and exit")
    parser.add_argument("--only", type=int, nargs="+", metavar="N", help="test only the mutants with these numbers")
    arguments = parser.parse_args()
    if arguments.list:
        sys.stdout.writelines(f"{number:>4} {mutant}\n" for number, mutant in enumerate(list_mutants()))
        return 0
    result = asyncio.run(score_mutants(_report, arguments.only))
    sys.stdout.write(
        f"{len(result.killed)} killed, {len(result.equivalent)} equivalent, {len(result.survived)} survived\n"
    )
    sys.stdout.writelines(f"  {mutant}\n" for mutant in result.survived)
    return 1 if result.survived else 0


def _report(done: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {of}" if done < of else "\r")


sys.exit(main())
