"""Answers to queries from memory: the visibility index says which rows, kept fragments of JSON say what they contain.

`compile_program` turns the plan of an operation into a program, `Memory.answer` runs it. One small statement guards an
answer: it reads the viewer and the version of the database, and the answer is given only if the index is of that
version. What a program cannot express is executed by the engine: single fields of the root, or the whole operation.
"""

from fragments.memory import Memory
from fragments.program import Program, compile_program

__all__ = ["Memory", "Program", "compile_program"]
